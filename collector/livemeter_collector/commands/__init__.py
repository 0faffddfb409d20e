"""One module a verb: options, wiring and exit codes."""
