-- An erasure finds the idempotency keys of a user's sessions without reading all keys: see the PostgreSQL file of the same name.
CREATE INDEX IF NOT EXISTS idempotency_keys_by_session ON idempotency_keys (session_id);
