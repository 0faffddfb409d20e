"""Facts on their way out: to log records, spans and metrics, and to the collector."""
