-- Applications: what a client_id stands for. Older servers know none of it, and need no more than before.
CREATE TABLE applications (
    id                    text COLLATE "C" PRIMARY KEY,
    name                  text NOT NULL,
    -- A JSON list; an empty one means the audience of the server.
    audiences             text NOT NULL,
    -- Words separated by spaces; null allows any scope.
    scope                 text,
    -- In seconds; null leaves the server's own limit.
    access_token_lifetime integer,
    absolute_lifetime     integer,
    idle_timeout          integer,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL
);

SELECT set_config('search_path', relnamespace::regnamespace || ', pg_temp', TRUE)
FROM pg_class WHERE oid = 'sessions'::regclass;

CREATE FUNCTION log_applications_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO changes (kind) VALUES ('applications_changed');
    RETURN NULL;
END
$$;

CREATE TRIGGER applications_log_changed AFTER INSERT OR UPDATE OR DELETE ON applications FOR EACH STATEMENT
    EXECUTE FUNCTION log_applications_changed();

-- The application that a service key is bound to; null: the key is bound to none.
ALTER TABLE service_keys ADD COLUMN client_id text;
