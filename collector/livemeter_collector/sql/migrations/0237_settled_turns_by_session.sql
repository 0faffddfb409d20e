-- One session's turns lie together in time.
ALTER TABLE settled_turns ADD INDEX IF NOT EXISTS by_session session_id TYPE bloom_filter(0.001) GRANULARITY 1
