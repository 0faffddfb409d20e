-- What every emitter sent, as far as it arrived: its events are numbered from 0, so that gaps are seen.
-- Missing events are lost or still under way; `dropped` is what the emitter itself said it lost, by reason.
CREATE OR REPLACE VIEW live_losses AS
SELECT
    emitter_id,
    app,
    first_event_at,
    last_event_at,
    bitmapCardinality(numbers) AS received,
    if(received = 0, 0, bitmapMax(numbers) + 1) AS expected,
    toUInt64(expected - received) AS missing,
    CAST(
        arrayReduce('sumMap', arrayMap(drop -> [drop.2], emitters.dropped), arrayMap(drop -> [drop.3], emitters.dropped)),
        'Map(String, UInt64)'
    ) AS dropped
FROM emitters FINAL
