-- A field of the text that the journal's inserts carry as their log_comment: key=value, separated by spaces.
CREATE FUNCTION livemeter_origin AS (field) -> extract(getSetting('log_comment'), '(?:^| )' || field || '=(\\S*)')
