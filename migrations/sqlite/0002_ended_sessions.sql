-- What was ended longer ago than it is kept: its end by itself may be years ahead, so sessions_by_end does not find it.
-- Only ended sessions are in it, so it costs one entry when a session is ended and nothing before.
CREATE INDEX sessions_by_ending ON sessions (ended_at) WHERE ended_at IS NOT NULL;
