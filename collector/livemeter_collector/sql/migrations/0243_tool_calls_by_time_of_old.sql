-- For rows from before the index; done in the background.
ALTER TABLE tool_calls MATERIALIZE INDEX by_time
