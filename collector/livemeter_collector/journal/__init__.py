"""What was accepted, on disk: nothing is acknowledged before it is here, or removed before it is stored."""
