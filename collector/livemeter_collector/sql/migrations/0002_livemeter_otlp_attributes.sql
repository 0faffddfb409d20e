-- OTLP attributes as the exporter's map of strings, in their order; a repeated key keeps both entries.
CREATE FUNCTION livemeter_otlp_attributes AS (attributes) -> CAST(
    arrayMap(attribute -> (tupleElement(attribute, 'key'), livemeter_otlp_string(tupleElement(attribute, 'value'))), attributes),
    'Map(LowCardinality(String), String)')
