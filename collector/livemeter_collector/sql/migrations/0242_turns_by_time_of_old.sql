-- For rows from before the index; done in the background.
ALTER TABLE turns MATERIALIZE INDEX by_time
