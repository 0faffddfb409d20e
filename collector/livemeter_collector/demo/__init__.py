"""The demo: what the fake Live server says, what the application does, and running both."""

SESSIONS = ("conversation", "tools", "go_away", "forgotten", "wrong_backend", "gaps", "cut", "two_at_once")
"""What the application plays, in this order, by the names of its functions."""
