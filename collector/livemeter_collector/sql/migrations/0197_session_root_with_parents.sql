-- As 0192, and beside it which connection was resumed, for those ids that are a connection's: what that one knew
-- of the context need not be looked for among all handles.
CREATE OR REPLACE DICTIONARY session_root
(
    alias      String,
    session_id String,
    parent_id  String
)
PRIMARY KEY alias
SOURCE(CLICKHOUSE(
    TABLE 'session_roots' DB 'livemeter'
    INVALIDATE_QUERY 'SELECT count(), sum(rows), max(modification_time) FROM system.parts WHERE active AND database = ''livemeter'' AND table IN (''handles'', ''connections'')'
))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 10 MAX 20)
