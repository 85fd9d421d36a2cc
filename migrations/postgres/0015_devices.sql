-- What is known of a session's device beside its kind, system and browser. Null for sessions from before, and for those
-- that older servers open. No index: nothing is looked up by them.
ALTER TABLE sessions ADD COLUMN device_model text;
ALTER TABLE sessions ADD COLUMN os_version text;
ALTER TABLE sessions ADD COLUMN browser_version text;
