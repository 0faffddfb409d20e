-- A connection id's 32 hex digits as 16 bytes; anything longer is cut, anything shorter padded.
CREATE FUNCTION livemeter_connection_id AS (hex_digits) ->
    toFixedString(substring(unhex(hex_digits), 1, 16), 16)
