-- Users are found by name, address and ban, and sessions ended by network, browser and system: see the PostgreSQL file of the same
-- name.
CREATE INDEX users_by_email ON users (lower(email), id);
CREATE INDEX users_by_name ON users (lower(name), id);
CREATE INDEX users_banned ON users (id) WHERE banned_at IS NOT NULL;

ALTER TABLE bulk_endings ADD COLUMN ip_first TEXT;
ALTER TABLE bulk_endings ADD COLUMN ip_last TEXT;
ALTER TABLE bulk_endings ADD COLUMN browser TEXT;
ALTER TABLE bulk_endings ADD COLUMN os TEXT;

-- A process of an earlier version would end more than is meant. It writes 1 or 2 into carrying_out before it begins; whoever knows
-- these conditions writes 3.
CREATE TRIGGER bulk_endings_need_more_knowledge BEFORE UPDATE OF carrying_out ON bulk_endings
    WHEN coalesce(OLD.ip_first, OLD.browser, OLD.os) IS NOT NULL AND NEW.carrying_out IN (1, 2)
BEGIN
    SELECT RAISE(ABORT, 'this bulk ending needs a newer version');
END;
