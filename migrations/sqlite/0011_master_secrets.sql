-- The master secrets that tokens were made with, by an id that is derived from them, so that a former one can be told to be
-- needed no more. The secrets themselves are in no table.
CREATE TABLE master_secrets (
    id           TEXT PRIMARY KEY NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT;
