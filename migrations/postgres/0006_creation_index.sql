-- Sessions are opened in the order of time: an index that grows at its right edge fills its pages, one that grows at its left
-- edge leaves them half empty. It is read backwards just as well.
DROP INDEX sessions_by_creation;
CREATE INDEX sessions_by_creation ON sessions (created_at, id);
