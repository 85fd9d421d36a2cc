-- What happened to sessions, counted: how many were opened, expired, or were ended and why. Filled in the background, in the
-- order of time; each session is counted once when it opens and once when it leaves, so the difference of all there ever
-- was is how many are open.
CREATE TABLE statistics (
    -- `hour`, `day` (in UTC), or `ever`, and where it starts.
    step        TEXT NOT NULL,
    start       INTEGER NOT NULL,
    -- Empty for none: a key has no nulls.
    client_id   TEXT NOT NULL,
    device_type TEXT NOT NULL,
    -- `opened`, `expired`, or the reason of an end.
    kind        TEXT NOT NULL,
    count       INTEGER NOT NULL,
    PRIMARY KEY (step, start, client_id, device_type, kind)
) STRICT, WITHOUT ROWID;

-- One row: what happened before counted_until is counted.
CREATE TABLE statistics_progress (
    counted_until INTEGER NOT NULL,
    -- When so many sessions ended at exactly counted_until that they are counted little by little: those opened up to
    -- this instant are.
    opened_until  INTEGER
) STRICT;

INSERT INTO statistics_progress (counted_until) VALUES (0);

-- What is deleted before it is counted, is counted as it goes. Who had it deleted took it for expired: then it was when it
-- came to its end, or had been unused for too long.
CREATE TRIGGER sessions_count_deleted AFTER DELETE ON sessions
BEGIN
    INSERT INTO statistics (step, start, client_id, device_type, kind, count)
    SELECT step, CASE step WHEN 'hour' THEN at - at % 3600000000 WHEN 'day' THEN at - at % 86400000000 ELSE 0 END,
        coalesce(OLD.client_id, ''), OLD.device_type, kind, 1
    FROM (
        SELECT OLD.created_at AS at, 'opened' AS kind FROM statistics_progress
        WHERE OLD.created_at >= counted_until
        UNION ALL
        SELECT OLD.ended_at, OLD.end_reason FROM statistics_progress
        WHERE OLD.ended_at < OLD.expires_at
            AND (OLD.ended_at > counted_until
                 OR OLD.ended_at = counted_until AND OLD.created_at > coalesce(opened_until, 0))
        UNION ALL
        SELECT min(OLD.expires_at, coalesce(OLD.last_seen_at + OLD.idle_timeout * 1000000, OLD.expires_at)), 'expired'
        FROM statistics_progress
        WHERE OLD.expires_at >= counted_until AND (OLD.ended_at IS NULL OR OLD.ended_at >= OLD.expires_at)
    ) AS events, (SELECT 'hour' AS step UNION ALL SELECT 'day' UNION ALL SELECT 'ever') AS steps
    WHERE TRUE
    ON CONFLICT (step, start, client_id, device_type, kind) DO UPDATE SET count = statistics.count + excluded.count;
END;
