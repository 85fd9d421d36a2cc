-- Applications: see the PostgreSQL file of the same name.
CREATE TABLE applications (
    id                    TEXT PRIMARY KEY,
    name                  TEXT NOT NULL,
    audiences             TEXT NOT NULL,
    scope                 TEXT,
    access_token_lifetime INTEGER,
    absolute_lifetime     INTEGER,
    idle_timeout          INTEGER,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL
) STRICT;

CREATE TRIGGER applications_log_added AFTER INSERT ON applications
BEGIN
    INSERT INTO changes (kind) VALUES ('applications_changed');
END;

CREATE TRIGGER applications_log_changed AFTER UPDATE ON applications
BEGIN
    INSERT INTO changes (kind) VALUES ('applications_changed');
END;

CREATE TRIGGER applications_log_removed AFTER DELETE ON applications
BEGIN
    INSERT INTO changes (kind) VALUES ('applications_changed');
END;

ALTER TABLE service_keys ADD COLUMN client_id TEXT;
