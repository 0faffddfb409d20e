-- An OTLP AnyValue as the exporter writes it: bool as true/false, doubles as JavaScript prints them, bytes as base64.
-- Arrays and key-value lists become JSON text before they get here; what is left of them, and no value at all, is ''.
CREATE FUNCTION livemeter_otlp_string AS (any) -> multiIf(
    tupleElement(any, 'value') = 'string_value', tupleElement(any, 'string_value'),
    tupleElement(any, 'value') = 'bool_value', if(tupleElement(any, 'bool_value'), 'true', 'false'),
    tupleElement(any, 'value') = 'int_value', toString(tupleElement(any, 'int_value')),
    tupleElement(any, 'value') = 'bytes_value', base64Encode(tupleElement(any, 'bytes_value')),
    tupleElement(any, 'value') != 'double_value', '',
    isNaN(tupleElement(any, 'double_value')), 'json: unsupported value: NaN',
    isInfinite(tupleElement(any, 'double_value')), if(tupleElement(any, 'double_value') > 0, 'json: unsupported value: +Inf', 'json: unsupported value: -Inf'),
    abs(tupleElement(any, 'double_value')) >= 1e21, replaceOne(toString(tupleElement(any, 'double_value')), 'e', 'e+'),
    toString(tupleElement(any, 'double_value')))
