-- The place of the address that a session was opened from, and the address and place of its last use, where that came
-- from another address. Places are JSON. Null where nothing is known, and in sessions that older servers open.
ALTER TABLE sessions ADD COLUMN place text;
ALTER TABLE sessions ADD COLUMN last_ip_address text;
ALTER TABLE sessions ADD COLUMN last_place text;
