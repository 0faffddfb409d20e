-- For rows from before the index; done in the background.
ALTER TABLE connections MATERIALIZE INDEX by_opening
