-- Who people are, as far as sessions care.
CREATE TABLE users (
    id         text COLLATE "C" PRIMARY KEY,
    name       text,
    email      text,
    banned_at  timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- One row a session, for as long as it is kept. Its user may be gone already, so there is no foreign key.
-- Room is left in each page so that a new last_seen_at stays in it and no index is written.
CREATE TABLE sessions (
    id                  uuid PRIMARY KEY,
    user_id             text COLLATE "C" NOT NULL,
    created_at          timestamptz NOT NULL,
    last_seen_at        timestamptz NOT NULL,
    expires_at          timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL,
    -- Seconds; null: it may stay unused for ever.
    idle_timeout        integer,
    ended_at            timestamptz,
    end_reason          text,
    -- The number in the refresh token that is current, and the highest one seen in an access token.
    refresh_counter     integer NOT NULL DEFAULT 0,
    confirmed_counter   integer NOT NULL DEFAULT 0,
    rotated_at          timestamptz,
    -- Whether the current token was asked for again, with its predecessor.
    refresh_repeated    boolean NOT NULL DEFAULT FALSE,
    client_id           text,
    ip_address          text,
    location            text,
    user_agent          text,
    device_type         text NOT NULL,
    device_name         text,
    os                  text,
    browser             text,
    scope               text NOT NULL,
    acr                 text,
    amr                 text[] NOT NULL,
    -- A JSON object, given back as it came; text, because the database never looks into it.
    metadata            text NOT NULL,
    CONSTRAINT sessions_end_within_absolute CHECK (expires_at <= absolute_expires_at),
    CONSTRAINT sessions_ended_with_reason CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) WITH (fillfactor = 90);

-- A user's own sessions, newest first: every family's list, the limit, ending all.
CREATE INDEX sessions_by_user ON sessions (user_id, created_at DESC, id DESC);
-- Pages of a search over all users, newest first.
CREATE INDEX sessions_by_creation ON sessions (created_at DESC, id DESC);
-- What has expired, and pages of a search by end.
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Ended is terminal, and the absolute end is immutable, whatever a statement says.
CREATE FUNCTION sessions_refuse_resurrection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'session % cannot change its end any more', OLD.id USING ERRCODE = 'check_violation';
END
$$;

CREATE TRIGGER sessions_ended_is_terminal BEFORE UPDATE ON sessions FOR EACH ROW
    WHEN ((OLD.ended_at IS NOT NULL AND (OLD.ended_at, OLD.end_reason, OLD.expires_at, OLD.refresh_counter)
               IS DISTINCT FROM (NEW.ended_at, NEW.end_reason, NEW.expires_at, NEW.refresh_counter))
          OR (OLD.id, OLD.user_id, OLD.created_at, OLD.absolute_expires_at)
               IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.created_at, NEW.absolute_expires_at))
    EXECUTE FUNCTION sessions_refuse_resurrection();

-- Idempotency keys of requests that opened a session, kept for a day.
CREATE TABLE idempotency_keys (
    service     text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    session_id  uuid NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (service, key)
);

-- The credentials of programs; the secret itself is not here.
CREATE TABLE service_keys (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    scope       text NOT NULL,
    secret_hash bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    revoked_at  timestamptz
);

-- The keys that sign access tokens; the private part is sealed with the master secret.
CREATE TABLE signing_keys (
    sequence    bigint PRIMARY KEY,
    kid         text NOT NULL UNIQUE,
    algorithm   text NOT NULL,
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    active_from timestamptz NOT NULL
);
