-- The credential that a session was opened with: see the PostgreSQL file of the same name.
ALTER TABLE sessions ADD COLUMN opened_by TEXT;
ALTER TABLE bulk_endings ADD COLUMN opened_by TEXT;

-- A process of the previous version would take a bulk ending of what one credential opened for one of everybody's sessions. It
-- writes 1 into carrying_out before it begins; whoever knows the condition writes 2.
CREATE TRIGGER bulk_endings_need_knowledge BEFORE UPDATE OF carrying_out ON bulk_endings
    WHEN OLD.opened_by IS NOT NULL AND NEW.carrying_out = 1
BEGIN
    SELECT RAISE(ABORT, 'this bulk ending needs a newer version');
END;
