SELECT
    session, app, platform, part, common, emitter_id, connection_id,
    toFixedString(unhex(connection_id), 16) AS connection_key,
    turn_index,
    turn_index - turns_before + 1 AS turn,
    turn + arraySum(arraySlice(has_tool, turns_before + 1, turn_index - turns_before)) AS pass,
    turn_index = first_turn AND part > 0 AS is_first_after_resume,
    -- What the process knew of the context before: nothing at its own beginning.
    turn_index > turns_before AS has_past,
    turn_index > 0 AND has_tool[turn_index] AS had_tool,
    opened_ms + 1000 + until_ms[turn_index] - until_ms[first_turn] AS started_ms,
    user_ms[turn_index + 1] AS user_speech,
    model_ms[turn_index + 1] AS model_speech,
    turn_ms[turn_index + 1] AS lasted,
    started_ms + lasted AS ended_ms,
    has_tool[turn_index + 1] AS is_tool,
    fleet_roll(session, turn_index, 'usage') % 33 != 0 AS has_usage,
    fleet_roll(session, turn_index, 'interrupted') % 8 = 0 AS is_interrupted,
    toInt64(900 + 15 * turn_index) AS text_tokens,
    arraySum(arraySlice(user_ms, 1, turn_index)) + arraySum(arraySlice(model_ms, 1, turn_index)) AS heard_ms,
    intDiv(25 * (heard_ms + user_speech), 1000) AS audio_tokens,
    intDiv(25 * model_speech, 1000) AS spoken_tokens,
    intDiv(25 * (heard_ms - model_ms[turn_index]), 1000) AS audio_before,
    intDiv(25 * model_ms[turn_index], 1000) AS spoken_before,
    if(
        fleet_roll(session, turn_index, 'thinks') % 3 = 0,
        20 + fleet_roll(session, turn_index, 'thoughts') % 200, 0
    ) AS thoughts,
    intDiv($frames_each * turn_index, turns) - intDiv($frames_each * first_turn, turns) AS first_frame,
    intDiv($frames_each * (turn_index + 1), turns) - intDiv($frames_each * turn_index, turns) AS frames
FROM fleet.connections
ARRAY JOIN range(first_turn, end_turn) AS turn_index
