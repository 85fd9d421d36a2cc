-- One-time links: each opens a page once, before its end. Of a link only a hash is kept. A visit is what an account link
-- becomes when it is opened: the browser keeps its text, and it opens the page until its end. Older servers know none of it,
-- and need no more than before.
CREATE TABLE one_time_links (
    hash       bytea PRIMARY KEY,
    -- `console`, `account` or `visit`.
    purpose    text NOT NULL,
    -- The user whose page it opens; null: it is nobody's.
    user_id    text,
    -- The application whose sessions alone the page shows; null: those of all.
    client_id  text,
    -- The credential that made it, as in sessions.opened_by.
    made_by    text NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX one_time_links_by_user ON one_time_links (user_id) WHERE user_id IS NOT NULL;
