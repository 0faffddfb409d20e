-- Whether a connection's end was in order: the application hung up (its library's own complaints aside), or the
-- server said goodbye in order.
CREATE FUNCTION livemeter_ended_well AS (closed_at, close_code, phase, closed_by, diagnosis) ->
    toBool(closed_at IS NOT NULL AND coalesce(
        (close_code IN (1000, 1001) AND phase = 'active')
        OR (closed_by = 'client' AND coalesce(diagnosis, '') NOT IN ('keepalive-timeout', 'frame-too-big-for-client')),
        false
    ))
