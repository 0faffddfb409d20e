-- Turns of unsettled sessions with what their passes used, by hour.
-- requires: unsettled
CREATE OR REPLACE VIEW turn_figures AS
WITH (SELECT (connection_ids, session_ids) FROM unsettled) AS unsettled
SELECT
    turns.connection_id AS connection_id,
    emitter_id, seq,
    livemeter_session(turns.session_id) AS session_id,
    turns.turn AS turn,
    started_at, turn_ms, first_audio_ms, first_audio_from, generation_ms, user_speech_ms, model_speech_ms,
    interrupted, end_reason, complete_reason, generation_complete, began_while_user_spoke, app_phase,
    has_output, transcript_chars_in, transcript_chars_out, transcript_longest_gap_ms, flushes,
    toUInt32(coalesce(used.passes, 0)) AS passes,
    used.usage AS usage
FROM
(
    SELECT *
    FROM turns FINAL
    WHERE connection_id IN unsettled.1
) AS turns
LEFT JOIN
(
    SELECT
        connection_id, turn,
        length(arrayDistinct(arrayFlatten(groupArray(passes_of)))) AS passes,
        arraySort(groupArray((hour, model, platform, tier, kind, modality, quantity, carried))) AS usage
    FROM
    (
        SELECT
            connection_id, turn,
            toStartOfHour(usage.ts, 'UTC') AS hour,
            model, platform, tier, kind, modality,
            sum(usage.quantity) AS quantity,
            sum(usage.carried) AS carried,
            groupUniqArrayIf(pass, pass > 0) AS passes_of
        FROM usage FINAL
        WHERE billable AND connection_id IN unsettled.1
        GROUP BY connection_id, turn, hour, model, platform, tier, kind, modality
    )
    GROUP BY connection_id, turn
) AS used ON used.connection_id = turns.connection_id AND used.turn = turns.turn
