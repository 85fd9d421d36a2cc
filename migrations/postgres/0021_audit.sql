-- The reason of a ban, and the audit trail: what staff changed, an entry for each action. Servers of the previous version know
-- neither and go on: what they change leaves no entry.
ALTER TABLE users ADD COLUMN ban_reason text;

CREATE TABLE audit (
    sequence    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Made by the server before its first attempt, so that a repeated statement adds no second entry.
    id          uuid NOT NULL UNIQUE,
    at          timestamptz NOT NULL,
    actor_type  text NOT NULL,
    actor_id    text COLLATE "C",
    -- The name of a service key; the user's id of a session.
    actor_name  text COLLATE "C",
    action      text COLLATE "C" NOT NULL,
    target_type text,
    target_id   text COLLATE "C",
    -- A JSON object.
    detail      text NOT NULL,
    request_id  text,
    address     text
);

CREATE INDEX audit_by_time ON audit (at, sequence);
CREATE INDEX audit_by_actor ON audit (actor_id, at, sequence);
CREATE INDEX audit_by_action ON audit (action, at, sequence);
CREATE INDEX audit_by_target ON audit (target_id, at, sequence);
-- For the erasure of a user who acted.
CREATE INDEX audit_by_user ON audit (actor_name) WHERE actor_type = 'session';
