-- A number to read: whole, with a comma before every three digits; NULL stays NULL.
CREATE FUNCTION livemeter_grouped AS (number) ->
    trimLeft(reverse(replaceRegexpAll(reverse(toString(round(number))), '(\\d{3})', '\\1,')), ',')
