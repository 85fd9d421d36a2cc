-- Times are whole microseconds since 1970 UTC, ids 16 bytes. Comments that hold for both databases stand in the
-- PostgreSQL file of the same name.
CREATE TABLE users (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT,
    email      TEXT,
    banned_at  INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id                  BLOB PRIMARY KEY NOT NULL,
    user_id             TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    last_seen_at        INTEGER NOT NULL,
    expires_at          INTEGER NOT NULL,
    absolute_expires_at INTEGER NOT NULL,
    idle_timeout        INTEGER,
    ended_at            INTEGER,
    end_reason          TEXT,
    refresh_counter     INTEGER NOT NULL DEFAULT 0,
    confirmed_counter   INTEGER NOT NULL DEFAULT 0,
    rotated_at          INTEGER,
    refresh_repeated    INTEGER NOT NULL DEFAULT FALSE,
    client_id           TEXT,
    ip_address          TEXT,
    location            TEXT,
    user_agent          TEXT,
    device_type         TEXT NOT NULL,
    device_name         TEXT,
    os                  TEXT,
    browser             TEXT,
    scope               TEXT NOT NULL,
    acr                 TEXT,
    -- A JSON array of strings.
    amr                 TEXT NOT NULL,
    metadata            TEXT NOT NULL,
    CONSTRAINT sessions_end_within_absolute CHECK (expires_at <= absolute_expires_at),
    CONSTRAINT sessions_ended_with_reason CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE INDEX sessions_by_user ON sessions (user_id, created_at DESC, id DESC);
CREATE INDEX sessions_by_creation ON sessions (created_at DESC, id DESC);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TRIGGER sessions_ended_is_terminal BEFORE UPDATE ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL AND (OLD.ended_at, OLD.end_reason, OLD.expires_at, OLD.refresh_counter)
              IS NOT (NEW.ended_at, NEW.end_reason, NEW.expires_at, NEW.refresh_counter))
         OR (OLD.id, OLD.user_id, OLD.created_at, OLD.absolute_expires_at)
              IS NOT (NEW.id, NEW.user_id, NEW.created_at, NEW.absolute_expires_at)
BEGIN
    SELECT RAISE(ABORT, 'a session cannot change its end any more');
END;

CREATE TABLE idempotency_keys (
    service     TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    session_id  BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (service, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE service_keys (
    id          BLOB PRIMARY KEY NOT NULL,
    name        TEXT NOT NULL,
    scope       TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER
) STRICT;

CREATE TABLE signing_keys (
    sequence    INTEGER PRIMARY KEY NOT NULL,
    kid         TEXT NOT NULL UNIQUE,
    algorithm   TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    active_from INTEGER NOT NULL
) STRICT;
