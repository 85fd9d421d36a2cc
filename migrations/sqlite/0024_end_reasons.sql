-- Ended sessions are found by the reason of their ending: see the PostgreSQL file of the same name.
CREATE INDEX sessions_by_end_reason ON sessions (end_reason, created_at, id) WHERE ended_at IS NOT NULL;
