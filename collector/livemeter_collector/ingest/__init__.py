"""From checked requests to durable rows."""
