-- What an attribute says: NULL when nobody said.
CREATE FUNCTION livemeter_bool AS (word) -> if(word = '', NULL, word = 'true')
