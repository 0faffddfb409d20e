-- For rows from before the index; done in the background.
ALTER TABLE usage MATERIALIZE INDEX by_time
