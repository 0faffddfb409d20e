SELECT
    session, app, user_id, model, platform, turns, user_ms, model_ms, turn_ms, until_ms, has_tool,
    part,
    goes_elsewhere AND part > 0 AS is_elsewhere,
    if(is_elsewhere, intDiv(turns, connections), 0) AS turns_before,
    ids[part + 1] AS connection_id,
    multiIf(session_name != '', session_name, is_elsewhere, ids[2], ids[1]) AS session_id,
    if(part = 0 OR (is_elsewhere AND part = 1), '', ids[part]) AS resumed_from,
    if(is_elsewhere, part, part + 1) AS attempt,
    opened[part + 1] AS opened_ms,
    150 + fleet_roll(session, part, 'setup') % 400 AS setup_ms,
    intDiv(turns * part, connections) AS first_turn,
    intDiv(turns * (part + 1), connections) AS end_turn,
    opened_ms + 1100 + until_ms[end_turn] - until_ms[first_turn] AS closed_ms,
    if(part = 0, '', fleet_hex(session, first_turn - 1, 'handle')) AS resumed_handle,
    if(
        part = connections - 1, $last_endings, $other_endings
    )[1 + fleet_roll(session, part, 'ending') % 100] AS ending,
    fleet_hex(intDiv(session, $chunk), fleet_roll(session, 0, 'worker') % 3 + 3 * is_elsewhere, app) AS emitter_id,
    intDiv($frames_each * end_turn, turns) - intDiv($frames_each * first_turn, turns) AS frames,
    CAST(mapConcat(fleet_known($common), mapApply(
        (name, value) -> (concat('$label', name), value), fleet_known(labels)
    )), 'Map(String, String)') AS common
FROM fleet.sessions
ARRAY JOIN range(connections) AS part
