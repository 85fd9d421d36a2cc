-- Cookies of applications: see the PostgreSQL file of the same name.
ALTER TABLE applications ADD COLUMN cookie_name TEXT;
