"""Reading: the SQL endpoint, and what the commands ask."""
