-- What happened to sessions, counted: how many were opened, expired, or were ended and why. Filled in the background, in the
-- order of time; each session is counted once when it opens and once when it leaves, so the difference of all there ever
-- was is how many are open.
CREATE TABLE statistics (
    -- `hour`, `day` (in UTC), or `ever`, and where it starts.
    step        text COLLATE "C" NOT NULL,
    start       timestamptz NOT NULL,
    -- Empty for none: a key has no nulls.
    client_id   text COLLATE "C" NOT NULL,
    device_type text COLLATE "C" NOT NULL,
    -- `opened`, `expired`, or the reason of an end.
    kind        text COLLATE "C" NOT NULL,
    count       bigint NOT NULL,
    PRIMARY KEY (step, start, client_id, device_type, kind)
);

-- One row: what happened before counted_until is counted.
CREATE TABLE statistics_progress (
    counted_until timestamptz NOT NULL,
    -- When so many sessions ended at exactly counted_until that they are counted little by little: those opened up to
    -- this instant are.
    opened_until  timestamptz
);

INSERT INTO statistics_progress (counted_until) VALUES ('1970-01-01Z');

-- What is deleted before it is counted, is counted as it goes. Who had it deleted took it for expired: then it was when it
-- came to its end, or had been unused for too long.
CREATE FUNCTION count_deleted_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    progress statistics_progress;
BEGIN
    IF NOT EXISTS (SELECT FROM gone) THEN
        RETURN NULL;
    END IF;
    -- Who counts holds it as well, so that nothing is counted twice.
    SELECT * INTO progress FROM statistics_progress FOR UPDATE;
    INSERT INTO statistics (step, start, client_id, device_type, kind, count)
    SELECT step,
        CASE step WHEN 'ever' THEN timestamptz '1970-01-01Z' ELSE date_trunc(step, at, 'UTC') END AS start,
        coalesce(client_id, ''), device_type, kind, count(*)
    FROM (
        SELECT created_at AS at, client_id, device_type, 'opened' AS kind FROM gone
        WHERE created_at >= progress.counted_until
        UNION ALL
        SELECT ended_at, client_id, device_type, end_reason FROM gone
        WHERE ended_at < expires_at
            AND (ended_at > progress.counted_until
                 OR ended_at = progress.counted_until AND created_at > coalesce(progress.opened_until, '-infinity'))
        UNION ALL
        SELECT least(expires_at, last_seen_at + idle_timeout * interval '1 second'), client_id, device_type, 'expired'
        FROM gone
        WHERE expires_at >= progress.counted_until AND (ended_at IS NULL OR ended_at >= expires_at)
    ) AS events, (VALUES ('hour'), ('day'), ('ever')) AS steps (step)
    GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (step, start, client_id, device_type, kind) DO UPDATE SET count = statistics.count + excluded.count;
    RETURN NULL;
END
$$;

CREATE TRIGGER sessions_count_deleted AFTER DELETE ON sessions REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_sessions();
