-- How far sessions are settled: of every connection whose last event arrived before `upto`, the settled_* tables
-- hold what its session, turns and usage came to.
CREATE TABLE settlements
(
    upto    DateTime64(3),
    made_at DateTime64(3)
)
ENGINE = MergeTree
ORDER BY made_at
