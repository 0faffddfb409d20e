-- Whether a text is a connection's id. Any other would make a row of some other connection, or of none.
CREATE FUNCTION livemeter_is_connection_id AS (text) -> match(text, '^[0-9a-fA-F]{32}\\z')
