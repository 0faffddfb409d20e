SELECT
    app, emitter_id, connection_id, common,
    $at_ms AS at_ms,
    '$event' AS event,
    $severity AS severity,
    $body AS body,
    mapConcat(fleet_known($attributes), CAST($more, 'Map(String, String)')) AS attributes
FROM $rows
