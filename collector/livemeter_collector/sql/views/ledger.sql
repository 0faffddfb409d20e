-- Where the records are that a collector acknowledged, as of the moment it last said what it had taken: a row a
-- collector and signal. `stored` is the engine's own count, of the segments that were done at that moment; what
-- is neither there nor set aside nor in the journal is missing. Less than nothing is missing when something was
-- stored twice.
CREATE OR REPLACE VIEW ledger AS
SELECT
    door.collector_id AS collector_id,
    door.signal AS signal,
    door.accepted_records AS accepted,
    coalesce(counted.stored, 0) AS stored,
    door.set_aside_records AS set_aside,
    door.journal_records AS in_journal,
    toInt64(accepted) - toInt64(stored) - toInt64(set_aside) - toInt64(in_journal) AS missing,
    door.at AS at
FROM (SELECT * FROM ledger_door FINAL) AS door
LEFT JOIN
(
    SELECT inserts.collector_id AS collector_id, inserts.signal AS signal, sum(inserts.stored) AS stored
    FROM ledger_inserts AS inserts
    INNER JOIN (SELECT collector_id, signal, done_through FROM ledger_door FINAL) AS done
        ON done.collector_id = inserts.collector_id AND done.signal = inserts.signal
    WHERE inserts.segment <= done.done_through
    GROUP BY inserts.collector_id, inserts.signal
) AS counted ON counted.collector_id = door.collector_id AND counted.signal = door.signal
