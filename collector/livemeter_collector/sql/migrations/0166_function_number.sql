-- A finite number, or NULL: one NaN would make a sum over a thousand rows NaN.
CREATE FUNCTION livemeter_number AS (digits) -> if(isFinite(toFloat64OrNull(digits)), toFloat64OrNull(digits), NULL)
