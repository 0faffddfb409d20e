-- How old what is remembered is, how many sessions are not (they are computed from the facts), and how old the
-- dictionaries are; NULL where there was nothing yet.
SELECT
    (SELECT maxOrNull(upto) FROM livemeter.settlements) AS settled_upto,
    (SELECT uniqExact(livemeter_session(told)) FROM livemeter.touched_connections) AS unsettled_sessions,
    (SELECT count() FROM livemeter.settled_sessions FINAL) AS remembered_sessions,
    (SELECT count() FROM livemeter.settled_turns FINAL) AS remembered_turns,
    (
        SELECT groupArray((name, nullIf(last_successful_update_time, toDateTime(0)), element_count))
        FROM (SELECT * FROM system.dictionaries WHERE database = 'livemeter' ORDER BY name)
        WHERE name IN ('model_price', 'price_by_key', 'session_root')
    ) AS dictionaries
