-- Sessions known under another id than they were told by (view session_roots), and what each stands for; nearly
-- always there are none.
-- A server loads it again by itself. An embedded engine never does: there it is loaded at the first question
-- after the start, and by whoever says so (SYSTEM RELOAD DICTIONARY livemeter.session_root).
CREATE DICTIONARY session_root
(
    alias      String,
    session_id String
)
PRIMARY KEY alias
SOURCE(CLICKHOUSE(
    TABLE 'session_roots' DB 'livemeter'
    INVALIDATE_QUERY 'SELECT count(), sum(rows), max(modification_time) FROM system.parts WHERE active AND database = ''livemeter'' AND table IN (''handles'', ''connections'')'
))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 10 MAX 20)
