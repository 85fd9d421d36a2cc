-- The model of a session's device, and versions: see the PostgreSQL file of the same name.
ALTER TABLE sessions ADD COLUMN device_model TEXT;
ALTER TABLE sessions ADD COLUMN os_version TEXT;
ALTER TABLE sessions ADD COLUMN browser_version TEXT;
