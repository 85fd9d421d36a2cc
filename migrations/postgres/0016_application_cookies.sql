-- The name of the cookie that carries the session tokens of an application; null: it has none of its own.
ALTER TABLE applications ADD COLUMN cookie_name text;
