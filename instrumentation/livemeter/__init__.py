"""Livemeter: what every Gemini Live session cost, and why its connection closed."""

__version__ = "0.1.0"

__all__ = ["__version__"]
