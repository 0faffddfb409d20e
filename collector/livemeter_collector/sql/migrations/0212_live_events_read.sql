-- Live events with the frames of their bodies, read once for all who need them: it keeps nothing.
CREATE TABLE live_events_read
(
    EventName     String,
    Body          String,
    LogAttributes Map(LowCardinality(String), String),
    connection_id FixedString(16),
    is_connection Bool,
    -- How many frames the longest and the shortest column have, and whether the first one's number is one.
    longest       UInt64,
    shortest      UInt64,
    is_numbered   Bool,
    first_seq     UInt32,
    base          Int64,
    offsets       Array(Int64),
    directions    Array(UInt8),
    kinds         Array(String),
    all_fields    Array(Array(String)),
    sizes         Array(UInt32),
    audio         Array(UInt32),
    sample_rates  Array(UInt32),
    turns         Array(UInt32)
)
ENGINE = Null
