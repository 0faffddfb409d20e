"""ClickHouse, embedded or remote, behind one protocol."""
