-- A trace or span id in lowercase hex; '' when it is absent or all zeros (8 or 16 bytes), as the exporter has it.
CREATE FUNCTION livemeter_otlp_id AS (id) ->
    if(id IN (unhex('0000000000000000'), unhex('00000000000000000000000000000000')), '', lower(hex(id)))
