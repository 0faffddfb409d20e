-- The story of a session: every Live event but frames, in order.
CREATE OR REPLACE VIEW live_events AS
SELECT
    Timestamp AS ts,
    LogAttributes['gemini_live.session.id'] AS session_id,
    LogAttributes['gemini_live.connection.id'] AS connection_id,
    toUInt64OrZero(LogAttributes['gemini_live.emitter.seq']) AS seq,
    substring(EventName, 13) AS kind,
    mapFilter((key, value) -> NOT startsWith(key, 'gemini_live.emitter.'), LogAttributes) AS attributes,
    Body AS body
FROM logs
WHERE startsWith(EventName, 'gemini_live.')
