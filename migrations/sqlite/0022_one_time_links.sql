-- One-time links: see the PostgreSQL file of the same name.
CREATE TABLE one_time_links (
    hash       BLOB PRIMARY KEY NOT NULL,
    purpose    TEXT NOT NULL,
    user_id    TEXT,
    client_id  TEXT,
    made_by    TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX one_time_links_by_user ON one_time_links (user_id) WHERE user_id IS NOT NULL;
