"""OTLP in: servers, and the checks at the door."""
