-- One request a row, or several whose bytes followed each other: either way all of an insert.
-- It reads one narrow column of the records and never fails: whatever else the comment holds counts as 0 or ''.
CREATE MATERIALIZED VIEW ledger_inserts_from_logs TO ledger_inserts AS
SELECT
    livemeter_origin('collector') AS collector_id,
    'logs' AS signal,
    toUInt64OrZero(livemeter_origin('segment')) AS segment,
    toUInt64OrZero(livemeter_origin('requests')) AS requests,
    toUInt64OrZero(livemeter_origin('records')) AS records,
    toUInt64(length(arrayFlatten(resource_logs.scope_logs.log_records.flags))) AS stored,
    now64(3) AS at
FROM otlp_logs_in
WHERE startsWith(getSetting('log_comment'), 'journal=1 ')
