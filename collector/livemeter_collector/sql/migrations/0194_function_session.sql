-- The session that a told id means: itself, unless that session went on from one of another process.
CREATE FUNCTION livemeter_session AS (told) ->
    dictGetOrDefault('livemeter.session_root', 'session_id', told, told)
