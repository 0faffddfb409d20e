SELECT
    *, one.1 AS again, one.2 AS is_repeat,
    fleet_roll(session, 2 * turn_index + again, 'details') % 10 != 0 AS has_details,
    fleet_roll(session, 2 * turn_index + again, 'cached') AS cached_luck,
    text_tokens + 60 * again AS prompt_text,
    prompt_text + audio_tokens AS prompt,
    is_tool AND again = 0 AS is_call,
    if(is_call, 22, 0) AS response_text,
    if(is_call, 0, spoken_tokens) AS response_audio,
    response_text + response_audio AS response,
    if(is_call, 0, thoughts) AS thoughts_tokens,
    again = 1 OR has_past AS is_later,
    if(again = 1, text_tokens + 22, text_tokens - 15 + 60 * had_tool) AS past_text,
    if(again = 1, audio_tokens, audio_before) AS past_audio,
    if(again = 1, text_tokens, past_text) + past_audio AS past_prompt,
    if(is_later AND cached_luck % 4 = 0, intDiv(6 * past_prompt, 10), toInt64(0)) AS cached,
    least(toInt64(cached), past_text) AS cached_text
FROM fleet.turns
ARRAY JOIN arrayConcat(
    [(0, 0)],
    if(is_tool, [(1, 0)], []),
    if(fleet_roll(session, turn_index, 'repeat') % 33 = 0, [(is_tool, 1)], [])
) AS one
WHERE has_usage
