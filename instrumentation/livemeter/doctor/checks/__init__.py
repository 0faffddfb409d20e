"""From what was found to lines of a report: ok, warn, fail or not applicable. Pure."""
