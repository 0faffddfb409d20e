-- A row a WebSocket: how it was set up, what ended it, and what to do about that.
-- Where another process had the session before, nobody could tell: then the number of the attempt, what it
-- went on from, and how long that took, are read off the session's connections.
-- It reads alike with and without join_use_nulls, because a read-only reader's setting wins over a view's.
-- requires: session_order
CREATE OR REPLACE VIEW live_connections AS
WITH
    coalesce(session_order.number, 0) AS number,
    coalesce(connections.resumed, false) AND number > 1 AND coalesce(connections.resumed_from, '') = '' AS is_from_elsewhere
SELECT
    lower(hex(connections.connection_id)) AS connection_id,
    livemeter_session(
        coalesce(nullIf(connections.told_session.2, ''), connections.session_id, lower(hex(connections.connection_id)))
    ) AS session_id,
    coalesce(google_session_id, '') AS google_session_id,
    coalesce(app, '') AS app,
    coalesce(user_id, '') AS user_id,
    labels,
    coalesce(model, '') AS model,
    coalesce(platform, '') AS platform,
    if(number > coalesce(connections.attempt, 0), toUInt32(number), connections.attempt) AS attempt,
    if(is_from_elsewhere, if(session_order.delay_ms >= 0, toFloat64(session_order.delay_ms), NULL), connections.reconnect_delay_ms) AS reconnect_delay_ms,
    if(is_from_elsewhere, if(session_order.gap_ms >= 0, toFloat64(session_order.gap_ms), NULL), connections.gap_ms) AS gap_ms,
    coalesce(connections.resumed, false) AS resumed,
    if(is_from_elsewhere, lower(hex(coalesce(session_order.previous_id, ''))), coalesce(connections.resumed_from, '')) AS resumed_from,
    coalesce(opened_at, first_event_at) AS opened_at,
    started_at,
    setup_ms,
    last_event_at,
    api_version, location, voice, vad_mode, response_modalities, input_transcription, output_transcription,
    session_resumption, compression, compression_trigger_tokens, compression_target_tokens, declared_tools,
    thinking_budget, thinking_level, instruction_bytes, instruction_hash, setup_bytes,
    JSONExtract(coalesce(connections.setup_labels, ''), 'Map(String, String)') AS setup_labels,
    coalesce(connections.setup_config, '') AS setup_config,
    sdk_version, websockets_version, framework_name, framework_version, python_version, os_type,
    ping_interval_s, ping_timeout_s,
    closed_at,
    close_code,
    close_reason,
    closed_by,
    clean,
    phase,
    http_status,
    error_type,
    livemeter_strings(coalesce(connections.exception_chain, '')) AS exception_chain,
    diagnosis,
    cause,
    hint,
    retry_class,
    catalogue_version,
    go_away_at,
    go_away_time_left_ms,
    go_away_overrun_ms,
    since_tool_response_ms,
    tool_calls_open,
    context_tokens_at_close,
    last_sent_at,
    last_received_at,
    pings_sent, pings_missed, ping_p50_ms, ping_max_ms, loop_lag_max_ms,
    frames,
    arraySort(connections.app_phases) AS app_phases,
    coalesce(connections.app_phase, if(empty(app_phases), NULL, app_phases[-1].2)) AS app_phase,
    expected_tools,
    nullIf(connections.outcome.2, '') AS outcome,
    nullIf(connections.outcome.3, '') AS outcome_detail,
    if(connections.outcome.2 = '', NULL, connections.outcome.1) AS outcome_at,
    livemeter_ended_well(closed_at, close_code, phase, closed_by, diagnosis) AS ended_well
FROM (SELECT * FROM connections FINAL) AS connections
LEFT JOIN session_order ON session_order.connection_id = connections.connection_id
