-- A turn knows its connection only; the connection knows the app and the model.
SELECT countIf(has_usage) / nullIf(count(), 0) AS "Turns with usage"
FROM livemeter.live_turns
WHERE $__timeFilter_ms(started_at)
    AND has_output
    AND connection_id IN
    (
        SELECT connections.connection_id
        FROM livemeter.live_connections AS connections
        WHERE $__conditionalAll(connections.app IN (${app:singlequote}), $app)
            AND $__conditionalAll(connections.model IN (${model:singlequote}), $model)
    )
