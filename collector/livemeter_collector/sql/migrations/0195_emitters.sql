-- Every process that emitted, and the numbers of those of its events that arrived, so that a gap is seen.
-- An event that arrived twice is one number; numbers begin at 0.
CREATE TABLE emitters
(
    emitter_id     String,
    app            SimpleAggregateFunction(anyLast, LowCardinality(String)),
    first_event_at SimpleAggregateFunction(min, DateTime64(3)),
    last_event_at  SimpleAggregateFunction(max, DateTime64(3)),
    numbers        AggregateFunction(groupBitmap, UInt64),
    -- What the emitter itself knows that it lost; the number is that of the event that said so.
    dropped        SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(number UInt64, reason String, records UInt64)))
)
ENGINE = AggregatingMergeTree
ORDER BY emitter_id
SETTINGS non_replicated_deduplication_window = 1000
