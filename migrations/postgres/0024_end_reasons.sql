-- Ended sessions are found by the reason of their ending, newest first. Only ended sessions are in the index, so no opening pays
-- for it. Older servers need no more than before. The index blocks changes to sessions while it is built. On a large table build it
-- by hand beforehand, with CREATE INDEX CONCURRENTLY.
CREATE INDEX IF NOT EXISTS sessions_by_end_reason ON sessions (end_reason, created_at, id) WHERE ended_at IS NOT NULL;
