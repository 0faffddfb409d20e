-- A JSON list of strings; anything else is none.
CREATE FUNCTION livemeter_strings AS (json) -> JSONExtract(json, 'Array(String)')
