SELECT
    *,
    fleet_roll(session, turn_index, 'status') % 100 AS luck,
    started_ms + user_speech + 300 AS called_ms,
    50 + fleet_roll(session, turn_index, 'latency') % 600 AS latency,
    called_ms + latency AS responded_ms
FROM fleet.turns
WHERE is_tool
