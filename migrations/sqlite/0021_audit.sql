-- The reason of a ban, and the audit trail: see the PostgreSQL file of the same name.
ALTER TABLE users ADD COLUMN ban_reason TEXT;

CREATE TABLE audit (
    sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB NOT NULL UNIQUE,
    at          INTEGER NOT NULL,
    actor_type  TEXT NOT NULL,
    actor_id    TEXT,
    actor_name  TEXT,
    action      TEXT NOT NULL,
    target_type TEXT,
    target_id   TEXT,
    detail      TEXT NOT NULL,
    request_id  TEXT,
    address     TEXT
) STRICT;

CREATE INDEX audit_by_time ON audit (at, sequence);
CREATE INDEX audit_by_actor ON audit (actor_id, at, sequence);
CREATE INDEX audit_by_action ON audit (action, at, sequence);
CREATE INDEX audit_by_target ON audit (target_id, at, sequence);
CREATE INDEX audit_by_user ON audit (actor_name) WHERE actor_type = 'session';
