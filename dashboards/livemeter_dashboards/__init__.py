"""Grafana boards as code: Python and SQL in, classic dashboard JSON out. See ``generate``."""
