-- A session's connections in their order, each with how it ended.
SELECT
    connection_id, google_session_id, platform, model, attempt, reconnect_delay_ms, gap_ms, resumed, resumed_from,
    toTimeZone(opened_at, 'UTC') AS opened_at,
    setup_ms, api_version, location, voice, vad_mode, response_modalities, input_transcription,
    output_transcription, session_resumption, compression, declared_tools, sdk_version, websockets_version,
    toTimeZone(closed_at, 'UTC') AS closed_at,
    dateDiff('millisecond', connections.opened_at, connections.closed_at) / 1000 AS age_s,
    close_code, close_reason, closed_by, clean, phase, http_status, error_type, toBool(connections.ended_well) AS ended_well,
    diagnosis, cause, hint, retry_class, catalogue_version,
    toTimeZone(go_away_at, 'UTC') AS go_away_at,
    go_away_time_left_ms, go_away_overrun_ms, since_tool_response_ms, context_tokens_at_close
FROM livemeter.live_connections AS connections
WHERE session_id = {session:String}
ORDER BY connections.opened_at, connection_id
