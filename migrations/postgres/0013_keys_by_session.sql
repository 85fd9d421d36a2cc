-- An erasure finds the idempotency keys of a user's sessions without reading all keys. Older servers need no more than before.
-- The index blocks requests with an idempotency key while it is built. On a large table build it by hand beforehand:
-- CREATE INDEX CONCURRENTLY idempotency_keys_by_session ON idempotency_keys (session_id);
CREATE INDEX IF NOT EXISTS idempotency_keys_by_session ON idempotency_keys (session_id);
