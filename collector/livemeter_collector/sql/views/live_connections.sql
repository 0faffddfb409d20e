-- A row a WebSocket: how it was set up, what ended it, and what to do about that.
CREATE OR REPLACE VIEW live_connections AS
SELECT
    lower(hex(connection_id)) AS connection_id,
    coalesce(session_id, lower(hex(connection_id))) AS session_id,
    coalesce(google_session_id, '') AS google_session_id,
    coalesce(app, '') AS app,
    coalesce(user_id, '') AS user_id,
    labels,
    coalesce(model, '') AS model,
    coalesce(platform, '') AS platform,
    attempt,
    reconnect_delay_ms,
    gap_ms,
    coalesce(resumed, false) AS resumed,
    coalesce(resumed_from, '') AS resumed_from,
    coalesce(opened_at, first_event_at) AS opened_at,
    started_at,
    setup_ms,
    last_event_at,
    api_version, location, voice, vad_mode, response_modalities, input_transcription, output_transcription,
    session_resumption, compression, declared_tools, sdk_version, websockets_version,
    closed_at,
    close_code,
    close_reason,
    closed_by,
    clean,
    phase,
    http_status,
    error_type,
    diagnosis,
    cause,
    hint,
    retry_class,
    catalogue_version,
    go_away_at,
    go_away_time_left_ms,
    go_away_overrun_ms,
    since_tool_response_ms,
    context_tokens_at_close,
    last_sent_at,
    last_received_at,
    -- The application hung up (its library's own complaints aside), or the server said goodbye in order.
    toBool(closed_at IS NOT NULL AND coalesce(
        (close_code IN (1000, 1001) AND phase = 'active')
        OR (closed_by = 'client' AND coalesce(diagnosis, '') NOT IN ('keepalive-timeout', 'frame-too-big-for-client')),
        false
    )) AS ended_well
FROM connections FINAL
