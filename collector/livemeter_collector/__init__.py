"""Livemeter's service: the collector and the commands that read what it stored."""
