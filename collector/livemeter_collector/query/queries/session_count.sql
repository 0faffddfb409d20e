-- How many sessions there are at all: none and none that match are different answers.
SELECT uniqExact(session_id) AS sessions FROM livemeter.live_connections
