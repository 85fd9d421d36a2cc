-- Undoes the changes of a case, so that the next one finds the table as filled: no trigger, no change log.
SET session_replication_role = replica;
SET synchronous_commit = off;

DELETE FROM sessions WHERE created_at > 'epoch'::timestamptz + :now * interval '1 millisecond';
UPDATE sessions SET ended_at = NULL, end_reason = NULL
WHERE ended_at > 'epoch'::timestamptz + :now * interval '1 millisecond';
CHECKPOINT;
