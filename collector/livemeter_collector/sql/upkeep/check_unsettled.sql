-- Sessions and connections of a piece (in the log_comment) that are computed from the facts whenever asked for:
-- what is remembered of them is not read.
SELECT arrayJoin(arrayConcat(session_ids, arrayMap(id -> lower(hex(id)), connection_ids))) AS key
FROM livemeter.unsettled
