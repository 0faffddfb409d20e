-- As 0202, of data points. It reads the metrics one by one, where 0033 has taken the request apart.
CREATE MATERIALIZED VIEW ledger_inserts_from_metrics TO ledger_inserts AS
SELECT
    livemeter_origin('collector') AS collector_id,
    'metrics' AS signal,
    toUInt64OrZero(livemeter_origin('segment')) AS segment,
    toUInt64OrZero(livemeter_origin('requests')) AS requests,
    toUInt64OrZero(livemeter_origin('records')) AS records,
    sum(
        length(gauge_points.flags) + length(sum_points.flags) + length(histogram_points.flags)
        + length(exponential_histogram_points.flags) + length(summary_points.flags)
    ) AS stored,
    now64(3) AS at
FROM otlp_metrics
WHERE startsWith(getSetting('log_comment'), 'journal=1 ')
HAVING stored > 0
