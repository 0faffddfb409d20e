-- The application's labels out of an event's attributes, by their own names.
CREATE FUNCTION livemeter_labels AS (attributes) -> mapApply(
    (key, value) -> (substring(key, 19), value),
    mapFilter((key, value) -> startsWith(key, 'gemini_live.label.'), attributes))
