"""The demo: what the fake Live server says, what the application does, and running both."""
