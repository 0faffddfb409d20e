-- The story of a session: every Live event but frames, in order. `summary` says in a line what happened, and
-- leaves out what is not known. What an emitter says it lost belongs to no session.
CREATE OR REPLACE VIEW live_events AS
WITH
    if(LogAttributes['gemini_live.turn.number'] IN ('', '0'), '', 'turn ' || LogAttributes['gemini_live.turn.number']) AS turn,
    livemeter_grouped(toFloat64OrNull(LogAttributes['gemini_live.turn.first_audio_ms'])) || ' ms to first audio' AS first_audio,
    length(livemeter_strings(LogAttributes['gemini_live.resumption.handle_hashes'])) AS handles,
    multiIf(
        EventName = 'gemini_live.connection.started',
        [
            'set up in ' || livemeter_grouped(toFloat64OrNull(LogAttributes['gemini_live.setup_ms'])) || ' ms',
            nullIf(LogAttributes['gen_ai.request.model'], '') || coalesce(' on ' || nullIf(LogAttributes['gemini_live.platform'], ''), ''),
            if(toUInt32OrZero(LogAttributes['gemini_live.connection.attempt']) > 1, 'connection ' || LogAttributes['gemini_live.connection.attempt'] || ' of its session', NULL),
            if(LogAttributes['gemini_live.connection.resumed'] = 'true', 'resumed', NULL)
        ],
        EventName = 'gemini_live.usage',
        [
            turn,
            livemeter_grouped(toFloat64OrNull(LogAttributes['gen_ai.usage.input_tokens'])) || ' tokens in',
            livemeter_grouped(toFloat64OrNull(LogAttributes['gen_ai.usage.output_tokens'])) || ' tokens out',
            if(LogAttributes['gemini_live.usage.repeat'] = 'true', 'told before', NULL)
        ],
        EventName = 'gemini_live.turn',
        [
            coalesce(nullIf(turn, ''), 'turn') || coalesce(': ' || first_audio, ''),
            if(LogAttributes['gemini_live.turn.interrupted'] = 'true', 'interrupted', replaceAll(LogAttributes['gemini_live.turn.end_reason'], '_', ' ')),
            LogAttributes['gemini_live.turn.complete_reason'],
            if(toUInt32OrZero(LogAttributes['gemini_live.turn.flushes']) > 0, 'flushed ' || LogAttributes['gemini_live.turn.flushes'] || ' times', NULL)
        ],
        EventName = 'gemini_live.tool_call',
        [
            arrayStringConcat(arrayFilter(word -> word != '', [
                'tool',
                LogAttributes['gen_ai.tool.name'],
                replaceAll(LogAttributes['gemini_live.tool.status'], '_', ' '),
                coalesce('after ' || livemeter_grouped(toFloat64OrNull(LogAttributes['gemini_live.tool.latency_ms'])) || ' ms', '')
            ]), ' '),
            if(LogAttributes['gemini_live.tool.id_match'] IN ('', 'yes'), NULL, 'id match ' || LogAttributes['gemini_live.tool.id_match']),
            arrayStringConcat(livemeter_strings(LogAttributes['gemini_live.tool.encoding']), ', ')
        ],
        EventName = 'gemini_live.go_away',
        ['goAway', livemeter_grouped(toFloat64OrNull(LogAttributes['gemini_live.go_away.time_left_ms']) / 1000) || ' s left'],
        EventName = 'gemini_live.resumption',
        [
            multiIf(LogAttributes['gemini_live.resumption.resumable'] = 'true', 'resumable', LogAttributes['gemini_live.resumption.resumable'] = 'false', 'not resumable', NULL),
            if(handles > 0, toString(handles) || if(handles = 1, ' handle', ' handles') || ' given', NULL)
        ],
        EventName = 'gemini_live.flush',
        [
            turn, 'flushed',
            'after ' || livemeter_grouped(toFloat64OrNull(LogAttributes['gemini_live.flush.speech_ms'])) || ' ms of speech',
            livemeter_grouped(toFloat64OrNull(LogAttributes['gemini_live.flush.transcript_chars'])) || ' characters of transcript'
        ],
        EventName = 'gemini_live.voice_activity',
        [
            'voice activity ' || LogAttributes['gemini_live.voice_activity.type'],
            'at ' || livemeter_grouped(toFloat64OrNull(LogAttributes['gemini_live.voice_activity.audio_offset_ms'])) || ' ms of audio'
        ],
        EventName = 'gemini_live.transcript',
        [
            multiIf(LogAttributes['gemini_live.transcript.side'] = 'input', 'user: ', LogAttributes['gemini_live.transcript.side'] = 'output', 'model: ', '')
                || leftUTF8(Body, 100) || if(lengthUTF8(Body) > 100, '...', '')
        ],
        EventName = 'gemini_live.phase', ['phase ' || LogAttributes['gemini_live.app.phase']],
        EventName = 'gemini_live.expectation',
        ['expects ' || arrayStringConcat(livemeter_strings(LogAttributes['gemini_live.app.expected_tools']), ', ')],
        EventName = 'gemini_live.outcome',
        ['outcome ' || LogAttributes['gemini_live.app.outcome'] || coalesce(': ' || nullIf(LogAttributes['gemini_live.app.outcome_detail'], ''), '')],
        EventName = 'gemini_live.dropped_records',
        [
            livemeter_grouped(toFloat64OrNull(LogAttributes['gemini_live.dropped.count'])) || ' records lost',
            replaceAll(LogAttributes['gemini_live.dropped.reason'], '_', ' ')
        ],
        EventName = 'gemini_live.connection.closed',
        [
            arrayStringConcat(arrayFilter(word -> word != '', [
                'closed',
                LogAttributes['gemini_live.close.code'],
                if(LogAttributes['http.response.status_code'] = '', '', 'HTTP ' || LogAttributes['http.response.status_code']),
                if(LogAttributes['gemini_live.close.closed_by'] IN ('', 'none'), '', 'by ' || LogAttributes['gemini_live.close.closed_by'])
            ]), ' ') || coalesce(': ' || nullIf(LogAttributes['gemini_live.close.reason'], ''), ''),
            LogAttributes['gemini_live.close.diagnosis']
        ],
        [NULL]
    ) AS parts
SELECT
    Timestamp AS ts,
    livemeter_session(LogAttributes['gemini_live.session.id']) AS session_id,
    LogAttributes['gemini_live.connection.id'] AS connection_id,
    toUInt64OrZero(LogAttributes['gemini_live.emitter.seq']) AS seq,
    substring(EventName, 13) AS kind,
    coalesce(
        nullIf(arrayStringConcat(arrayMap(part -> assumeNotNull(part), arrayFilter(part -> coalesce(part, '') != '', parts)), ', '), ''),
        replaceAll(replaceAll(kind, '_', ' '), '.', ' ')
    ) AS summary,
    mapFilter((key, value) -> NOT startsWith(key, 'gemini_live.emitter.'), LogAttributes) AS attributes,
    Body AS body
FROM logs
WHERE startsWith(EventName, 'gemini_live.')
