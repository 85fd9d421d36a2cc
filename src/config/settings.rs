//! The table of settings.

/// Every setting with its default and its description, in the order of `--help`.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("SOJOURN_LISTEN", "127.0.0.1:8080", "The address to listen on. PORT alone means 0.0.0.0 and that port"),
    (
        "SOJOURN_MAX_CONNECTIONS",
        "what the limit of open files allows, at most 10000",
        "The most connections of clients; at most half of them are streams",
    ),
    (
        "SOJOURN_CONNECTIONS_PER_ADDRESS",
        "half of SOJOURN_MAX_CONNECTIONS",
        "The most connections from one address that is no trusted proxy",
    ),
    ("SOJOURN_DRAIN_DELAY", "3s", "How long requests are still served after SIGTERM, before the port is closed"),
    ("SOJOURN_METRICS_LISTEN", "none", "An address of its own for /metrics, which is then not at the main one"),
    (
        "DATABASE_URL",
        "sqlite://<data dir>/sojourn.db",
        "sqlite://… or postgres://…, several hosts separated by commas; also as DATABASE_URL_FILE",
    ),
    (
        "SOJOURN_SEARCH_DATABASE_URL",
        "none",
        "A hot standby of PostgreSQL for searches and statistics; also as SOJOURN_SEARCH_DATABASE_URL_FILE",
    ),
    (
        "SOJOURN_DATABASE_CONNECTIONS",
        "24",
        "The most connections to the database; with PostgreSQL four more follow the change log",
    ),
    ("SOJOURN_DATA_DIR", "./sojourn-data", "The folder of the SQLite file and the generated secret"),
    (
        "SOJOURN_SECRET",
        "made once, with SQLite",
        "Master secret: 32 random bytes or more in base64 or hexadecimal; also as SOJOURN_SECRET_FILE",
    ),
    (
        "SOJOURN_PREVIOUS_SECRETS",
        "none",
        "Former master secrets whose tokens are still valid, separated by commas; also as SOJOURN_PREVIOUS_SECRETS_FILE",
    ),
    (
        "SOJOURN_BOOTSTRAP_KEY",
        "",
        "A service key with every scope, 32 characters or more; also as SOJOURN_BOOTSTRAP_KEY_FILE",
    ),
    ("SOJOURN_BOOTSTRAP_KEY_UNTIL", "none", "When that key stops working, such as 2026-01-31T12:00:00Z"),
    (
        "SOJOURN_ISSUER",
        "http://localhost:8080",
        "The iss of access tokens: the URL that applications reach this server by",
    ),
    ("SOJOURN_AUDIENCE", "sojourn", "The aud of access tokens"),
    ("SOJOURN_SIGNING_ALGORITHM", "EdDSA", "EdDSA, ES256 or RS256"),
    ("SOJOURN_SIGNING_KEY_AGE", "90d", "The age at which a signing key is replaced"),
    (
        "SOJOURN_PROFILE",
        "default",
        "Limits of every session: default (30d, 7d unused), aal1, aal2, aal3 (NIST SP 800-63B-4)",
    ),
    (
        "SOJOURN_ABSOLUTE_LIFETIME",
        "the profile's",
        "Time from opening to the latest possible expiry; within an aal profile only shorter",
    ),
    ("SOJOURN_IDLE_TIMEOUT", "the profile's", "How long a session may stay unused; within an aal profile only shorter"),
    ("SOJOURN_ACCESS_TOKEN_LIFETIME", "5m", "How long an access token lives, at most an hour"),
    ("SOJOURN_REFRESH_GRACE", "30s", "How long a spent refresh token still gets its successor, at most 5m"),
    (
        "SOJOURN_SLIDING",
        "",
        "Refreshes move the session's end this far ahead: after each, nine tenths of it remain at least, or what is left to the \
         absolute end",
    ),
    (
        "SOJOURN_LONGEST_EXTENSION",
        "720h",
        "The most that one request may extend a session by; with 0 only sessions:admin may extend",
    ),
    ("SOJOURN_MAX_SESSIONS_PER_USER", "no limit", "How many active sessions a user may have"),
    ("SOJOURN_SESSION_LIMIT_POLICY", "evict_oldest", "At the limit: evict_oldest, evict_least_recent or reject"),
    ("SOJOURN_IP_STORAGE", "full", "How much of a client's address is kept: full, truncated (/24, /48) or off"),
    ("SOJOURN_RETENTION", "30d", "The time for which ended and expired sessions are stored"),
    (
        "SOJOURN_ERASE_DELETED_USERS",
        "false",
        "With true each deletion of a user erases what describes the person from everything stored, as with erase=true",
    ),
    ("SOJOURN_SEARCH_PAGE_LIMIT", "200", "The most sessions on a page of the Janssen search, at most 1000"),
    ("SOJOURN_SEARCH_TOTAL_LIMIT", "10001", "The bound up to which the Janssen search counts matches"),
    (
        "SOJOURN_FRESHNESS",
        "fresh",
        "How old an answer may be: strict (never), or fresh (endings by other replicas apply within milliseconds)",
    ),
    ("SOJOURN_CACHE_MEGABYTES", "64", "Memory for the cache of sessions, about 2000 a megabyte; 0 for none"),
    ("SOJOURN_STREAM_LIMIT", "10000", "Streams of events and watched sessions open at once, about 15 kB each"),
    ("SOJOURN_STREAMS_PER_USER", "16", "The most of these streams that one user may have"),
    ("SOJOURN_STREAMS_PER_SERVICE", "1000", "The most of these streams that one service key may have"),
    (
        "SOJOURN_JANSSEN_USER_DN",
        "inum={id},ou=people,o=jans",
        "The distinguished name of a user in the Janssen API; {id} stands for the user's id",
    ),
    ("SOJOURN_RATE_LIMIT", "0", "Requests per 5 minutes and caller, else per client address; 0 turns it off"),
    (
        "SOJOURN_TRUSTED_PROXIES",
        "none",
        "Networks whose forwarding header is believed, such as 10.0.0.0/8, separated by commas",
    ),
    (
        "SOJOURN_FORWARDING_HEADER",
        "X-Forwarded-For",
        "The one header in which trusted proxies name the client: X-Forwarded-For, Forwarded, X-Real-IP, …",
    ),
    ("SOJOURN_COOKIE", "off", "Name of a cookie that may carry the session token, such as __Host-session"),
    ("SOJOURN_CORS_ORIGINS", "none", "Origins that browsers may call from, separated by commas"),
    ("SOJOURN_LOG", "info", "What is logged: error, warn, info, debug, or a filter such as sojourn=debug"),
    ("SOJOURN_LOG_FORMAT", "pretty", "pretty or json"),
    ("SOJOURN_CONFIG", "none", "A TOML file with any of these settings"),
];
