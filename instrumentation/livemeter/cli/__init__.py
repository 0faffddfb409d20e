"""The ``livemeter`` command."""
