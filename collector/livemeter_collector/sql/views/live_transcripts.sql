-- What was said, piece by piece as it came; there is none unless the application switched content on.
CREATE OR REPLACE VIEW live_transcripts AS
SELECT
    Timestamp AS ts,
    livemeter_session(LogAttributes['gemini_live.session.id']) AS session_id,
    LogAttributes['gemini_live.connection.id'] AS connection_id,
    toUInt64OrZero(LogAttributes['gemini_live.emitter.seq']) AS seq,
    toUInt32OrZero(LogAttributes['gemini_live.turn.number']) AS turn,
    LogAttributes['gemini_live.transcript.side'] AS side,
    Body AS text,
    toBool(LogAttributes['gemini_live.content.truncated'] = 'true') AS truncated
FROM logs
WHERE EventName = 'gemini_live.transcript'
