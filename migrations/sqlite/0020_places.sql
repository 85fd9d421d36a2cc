-- Places of sessions: see the PostgreSQL file of the same name.
ALTER TABLE sessions ADD COLUMN place TEXT;
ALTER TABLE sessions ADD COLUMN last_ip_address TEXT;
ALTER TABLE sessions ADD COLUMN last_place TEXT;
