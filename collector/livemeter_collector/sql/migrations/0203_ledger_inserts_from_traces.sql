-- As 0202, of spans.
CREATE MATERIALIZED VIEW ledger_inserts_from_traces TO ledger_inserts AS
SELECT
    livemeter_origin('collector') AS collector_id,
    'traces' AS signal,
    toUInt64OrZero(livemeter_origin('segment')) AS segment,
    toUInt64OrZero(livemeter_origin('requests')) AS requests,
    toUInt64OrZero(livemeter_origin('records')) AS records,
    toUInt64(length(arrayFlatten(resource_spans.scope_spans.spans.kind))) AS stored,
    now64(3) AS at
FROM otlp_traces_in
WHERE startsWith(getSetting('log_comment'), 'journal=1 ')
