-- A turn: the user's audio every tenth of a second with transcript pieces in between, then the model's, faster than
-- it is spoken, and the frames that end it. Arrivals jitter.
INSERT INTO livemeter.frames
    (connection_id, seq, ts, direction, kind, contents, bytes, audio_ms, sample_rate, turn)
SELECT
    connection_key, first_frame + place,
    fromUnixTimestamp64Milli(if(
        place < user_frames,
        started_ms + intDiv(place * user_speech, user_frames) + luck % 9,
        started_ms + user_speech + 600
            + intDiv((place - user_frames) * (lasted - user_speech - 630), frames - user_frames) + luck % 22
    )),
    if(kind = 'setup' OR (place < user_frames AND kind = 'audio'), 'sent', 'received'),
    multiIf(
        first_frame + place = 0, 'setup',
        first_frame + place = 1, 'setupComplete',
        place < user_frames, if(place % 11 = 10, 'inputTranscription', 'audio'),
        place = frames - 1, 'turnComplete',
        place = frames - 2, if(is_interrupted, 'interrupted', 'generationComplete'),
        place = frames - 3, 'sessionResumptionUpdate',
        place % 6 = 5, 'outputTranscription',
        'audio'
    ) AS kind,
    if(kind = 'turnComplete' AND has_usage, ['turnComplete', 'usageMetadata'], []),
    multiIf(
        kind = 'audio', if(place < user_frames, 4361, 6543 + 4 * (luck % 3)),
        kind IN ('inputTranscription', 'outputTranscription'), 88 + luck % 60,
        kind = 'turnComplete', 412 + luck % 12,
        kind = 'setup', 1900 + luck % 200,
        kind = 'sessionResumptionUpdate', 176,
        64
    ),
    if(kind = 'audio', 100, 0),
    multiIf(kind != 'audio', 0, place < user_frames, 16000, 24000),
    turn
FROM
(
    SELECT
        connection_key, first_frame, frames, started_ms, user_speech, lasted, turn, is_interrupted, has_usage,
        greatest(1, least(frames - 3, intDiv(frames * user_speech, user_speech + model_speech))) AS user_frames,
        arrayJoin(range(frames)) AS place,
        intHash64(bitXor(reinterpretAsUInt64(substring(connection_key, 9)), first_frame + place)) AS luck
    FROM fleet.turns
)
