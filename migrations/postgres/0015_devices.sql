-- The model of a session's device, and the versions of its system and browser. The columns are null in sessions from before
-- this migration and in those that older servers open. Nothing is looked up by them, so they have no index.
ALTER TABLE sessions ADD COLUMN device_model text;
ALTER TABLE sessions ADD COLUMN os_version text;
ALTER TABLE sessions ADD COLUMN browser_version text;
