//! The table of settings: each with its default, its description and its check.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;

use axum::http::{HeaderName, HeaderValue};

use super::log_format::LogFormat;
use super::matching;
use super::same_site::SameSite;
use super::setting::{ANY, Documented, OptionalSetting, SecretSetting, Setting, duration, expected, number, switch};
use super::theme::{self, Accent};
use crate::api::janssen::dn::DnTemplate;
use crate::model::{Algorithm, LimitPolicy};
use crate::sessions::{Freshness, IpStorage, MIN_LIFETIME, Profile};
use crate::tokens::{MAX_ACCESS_TOKEN_LIFETIME, MIN_ACCESS_TOKEN_LIFETIME};

/// The shortest lifetime of a session, in seconds.
const MINUTE: i64 = MIN_LIFETIME.num_seconds();
/// The shortest lifetime of an access token, in seconds.
const MIN_ACCESS: i64 = MIN_ACCESS_TOKEN_LIFETIME.num_seconds();
/// The longest lifetime of an access token, in seconds.
const MAX_ACCESS: i64 = MAX_ACCESS_TOKEN_LIFETIME.num_seconds();
/// The address to listen on when neither an address nor a port is set.
pub(super) const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The shortest age of a signing key that is replaced, in seconds.
const HOUR: i64 = 3600;

/// Defines settings, and the list of them all.
macro_rules! settings {
    ($($name:ident: $kind:ty = $setting:expr;)*) => {
        $(pub(super) const $name: $kind = $setting;)*

        /// Every setting, in the order of `--help`.
        pub const SETTINGS: &[&dyn Documented] = &[$(&$name),*];
    };
}

settings! {
    LISTEN: OptionalSetting<String> = OptionalSetting::new(
        "SOJOURN_LISTEN",
        DEFAULT_LISTEN,
        "The address to listen on. PORT alone means 0.0.0.0 and that port",
        matching::address,
    );
    MAX_CONNECTIONS: OptionalSetting<usize> = OptionalSetting::new(
        "SOJOURN_MAX_CONNECTIONS",
        "what the limit of open files allows, at most 10000",
        "The most connections of clients; at most half of them are streams",
        number::<_, 1, 1_000_000>,
    );
    CONNECTIONS_PER_ADDRESS: OptionalSetting<usize> = OptionalSetting::new(
        "SOJOURN_CONNECTIONS_PER_ADDRESS",
        "half of SOJOURN_MAX_CONNECTIONS",
        "The most connections from one address that is no trusted proxy",
        number::<_, 1, 1_000_000>,
    );
    DRAIN_DELAY: Setting<TimeDelta> = Setting::new(
        "SOJOURN_DRAIN_DELAY",
        "3s",
        "How long requests are still served after SIGTERM, before the port is closed",
        duration::<0, 300>,
    );
    METRICS_LISTEN: OptionalSetting<String> = OptionalSetting::new(
        "SOJOURN_METRICS_LISTEN",
        "none",
        "An address of its own for /metrics, which is then not at the main one",
        matching::address,
    );
    CONSOLE: Setting<bool> = Setting::new(
        "SOJOURN_CONSOLE",
        "on",
        "Pages for people, /admin and /account: on or off",
        |text| expected("on or off", [("on", true), ("off", false)].into_iter().find_map(|(word, on)| (text == word).then_some(on))),
    );
    CONSOLE_LISTEN: OptionalSetting<String> = OptionalSetting::new(
        "SOJOURN_CONSOLE_LISTEN",
        "none",
        "An address of its own for the console, which is then not at the main one",
        matching::address,
    );
    CONSOLE_LIFETIME: Setting<TimeDelta> = Setting::new(
        "SOJOURN_CONSOLE_LIFETIME",
        "8h",
        "Time after which staff must sign in to the console again",
        duration::<MINUTE, ANY>,
    );
    CONSOLE_IDLE: Setting<TimeDelta> = Setting::new(
        "SOJOURN_CONSOLE_IDLE",
        "30m",
        "Time without use after which staff must sign in to the console again",
        duration::<MINUTE, ANY>,
    );
    ACCOUNT_NAME: OptionalSetting<String> = OptionalSetting::new(
        "SOJOURN_ACCOUNT_NAME",
        "none",
        "The name of your application, as the account page shows it",
        theme::name,
    );
    ACCOUNT_COLOUR: OptionalSetting<Accent> = OptionalSetting::new(
        "SOJOURN_ACCOUNT_COLOUR",
        "#0f6a70,#5cc0c4",
        "The colour of the account page: #rrggbb, or one for the light and one for the dark theme, separated by a comma",
        Accent::parse,
    );
    ACCOUNT_LOGO: OptionalSetting<PathBuf> = OptionalSetting::new(
        "SOJOURN_ACCOUNT_LOGO",
        "none",
        "A file with your logo for the account page: SVG, PNG or WebP of at most 64 KiB",
        |text| Ok(PathBuf::from(text)),
    );
    ACCOUNT_RETURN: Setting<String> = Setting::new(
        "SOJOURN_ACCOUNT_RETURN",
        "/",
        "Where the account page leads back to, and where people sign in: an https URL, or a path",
        theme::way_back,
    );
    ACCOUNT_FRAME_ANCESTORS: OptionalSetting<Vec<HeaderValue>> = OptionalSetting::new(
        "SOJOURN_ACCOUNT_FRAME_ANCESTORS",
        "none",
        "Origins that may show the account page in a frame, separated by commas",
        |text| expected("origins such as https://app.example, separated by commas", text.split(',').map(matching::origin).collect()),
    );
    DATABASE_URL: SecretSetting = SecretSetting::new(
        "DATABASE_URL",
        "sqlite://<data dir>/sojourn.db",
        "sqlite://… or postgres://…, several hosts separated by commas",
    );
    SEARCH_DATABASE_URL: SecretSetting = SecretSetting::new(
        "SOJOURN_SEARCH_DATABASE_URL",
        "none",
        "A hot standby of PostgreSQL for searches and statistics",
    );
    DATABASE_CONNECTIONS: Setting<u32> = Setting::new(
        "SOJOURN_DATABASE_CONNECTIONS",
        "24",
        "The most connections to the database; with PostgreSQL four more follow the change log",
        number::<_, 1, 500>,
    );
    DATA_DIR: Setting<String> = Setting::new(
        "SOJOURN_DATA_DIR",
        "./sojourn-data",
        "The folder of the SQLite file and the generated secret",
        |text| Ok(text.to_owned()),
    );
    SECRET: SecretSetting = SecretSetting::new(
        "SOJOURN_SECRET",
        "made once, with SQLite",
        "Master secret: 32 random bytes or more in base64 or hexadecimal",
    );
    PREVIOUS_SECRETS: SecretSetting = SecretSetting::new(
        "SOJOURN_PREVIOUS_SECRETS",
        "none",
        "Former master secrets whose tokens are still valid, separated by commas",
    );
    BOOTSTRAP_KEY: SecretSetting = SecretSetting::new(
        "SOJOURN_BOOTSTRAP_KEY",
        "",
        "A service key with every scope, 32 characters or more",
    );
    BOOTSTRAP_KEY_UNTIL: OptionalSetting<DateTime<Utc>> = OptionalSetting::new(
        "SOJOURN_BOOTSTRAP_KEY_UNTIL",
        "none",
        "When that key stops working, such as 2026-01-31T12:00:00Z",
        |text| {
            let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
            expected("a time such as 2026-01-31T12:00:00Z", time)
        },
    );
    ISSUER: Setting<String> = Setting::new(
        "SOJOURN_ISSUER",
        "http://localhost:8080",
        "The iss of access tokens: the URL that applications reach this server by",
        |text| expected("an http or https URL without query and fragment", matching::issuer(text)),
    );
    AUDIENCE: Setting<String> = Setting::new(
        "SOJOURN_AUDIENCE",
        "sojourn",
        "The aud of access tokens",
        |text| expected("text without spaces", matching::word(text)),
    );
    SIGNING_ALGORITHM: Setting<Algorithm> = Setting::new(
        "SOJOURN_SIGNING_ALGORITHM",
        "EdDSA",
        "EdDSA, ES256 or RS256",
        |text| expected("EdDSA, ES256 or RS256", Algorithm::parse(text)),
    );
    SIGNING_KEY_AGE: Setting<TimeDelta> = Setting::new(
        "SOJOURN_SIGNING_KEY_AGE",
        "90d",
        "The age at which a signing key is replaced",
        duration::<HOUR, ANY>,
    );
    PROFILE: Setting<Profile> = Setting::new(
        "SOJOURN_PROFILE",
        "default",
        "Limits of every session: default (30d, 7d unused), aal1, aal2, aal3 (NIST SP 800-63B-4)",
        |text| expected("default, aal1, aal2 or aal3", Profile::parse(text)),
    );
    ABSOLUTE_LIFETIME: OptionalSetting<TimeDelta> = OptionalSetting::new(
        "SOJOURN_ABSOLUTE_LIFETIME",
        "the profile's",
        "Time from opening to the latest possible expiry; within an aal profile only shorter",
        duration::<MINUTE, ANY>,
    );
    IDLE_TIMEOUT: OptionalSetting<TimeDelta> = OptionalSetting::new(
        "SOJOURN_IDLE_TIMEOUT",
        "the profile's",
        "How long a session may stay unused; within an aal profile only shorter",
        duration::<MINUTE, ANY>,
    );
    ACCESS_TOKEN_LIFETIME: Setting<TimeDelta> = Setting::new(
        "SOJOURN_ACCESS_TOKEN_LIFETIME",
        "5m",
        "How long an access token lives, at most an hour",
        duration::<MIN_ACCESS, MAX_ACCESS>,
    );
    REFRESH_GRACE: Setting<TimeDelta> = Setting::new(
        "SOJOURN_REFRESH_GRACE",
        "30s",
        "How long a spent refresh token still gets its successor, at most 5m",
        duration::<0, 300>,
    );
    SLIDING: OptionalSetting<TimeDelta> = OptionalSetting::new(
        "SOJOURN_SLIDING",
        "",
        "Refreshes move the session's end this far ahead: after each, nine tenths of it remain at least, or what is left \
         to the absolute end",
        duration::<MINUTE, ANY>,
    );
    LONGEST_EXTENSION: Setting<TimeDelta> = Setting::new(
        "SOJOURN_LONGEST_EXTENSION",
        "720h",
        "The most that one request may extend a session by; with 0 only sessions:admin may extend",
        duration::<0, ANY>,
    );
    REAUTH_WITHIN: OptionalSetting<TimeDelta> = OptionalSetting::new(
        "SOJOURN_REAUTH_WITHIN",
        "off",
        "How long ago a user may have authenticated to end other sessions and to change users, keys and applications",
        duration::<MINUTE, ANY>,
    );
    MAX_SESSIONS_PER_USER: OptionalSetting<u32> = OptionalSetting::new(
        "SOJOURN_MAX_SESSIONS_PER_USER",
        "no limit",
        "How many active sessions a user may have",
        number::<_, 1, 10_000>,
    );
    SESSION_LIMIT_POLICY: Setting<LimitPolicy> = Setting::new(
        "SOJOURN_SESSION_LIMIT_POLICY",
        "evict_oldest",
        "At the limit: evict_oldest, evict_least_recent or reject",
        |text| expected("evict_oldest, evict_least_recent or reject", LimitPolicy::parse(text)),
    );
    IP_STORAGE: Setting<IpStorage> = Setting::new(
        "SOJOURN_IP_STORAGE",
        "full",
        "How much of a client's address is kept: full, truncated (/24, /48) or off",
        |text| expected("full, truncated or off", IpStorage::parse(text)),
    );
    GEOIP_DATABASE: OptionalSetting<Vec<PathBuf>> = OptionalSetting::new(
        "SOJOURN_GEOIP_DATABASE",
        "none",
        "MMDB files of cities, countries or networks, separated by commas, for the places of addresses",
        |text| {
            let paths = text.split(',').map(str::trim);
            let paths: Vec<PathBuf> = paths.filter(|path| !path.is_empty()).map(PathBuf::from).collect();
            expected("the path of an MMDB file, or several separated by commas", (!paths.is_empty()).then_some(paths))
        },
    );
    RETENTION: Setting<TimeDelta> = Setting::new(
        "SOJOURN_RETENTION",
        "30d",
        "The time for which ended and expired sessions are stored",
        duration::<0, ANY>,
    );
    AUDIT_RETENTION: Setting<TimeDelta> = Setting::new(
        "SOJOURN_AUDIT_RETENTION",
        "400d",
        "The time for which entries of the audit trail are stored",
        duration::<0, ANY>,
    );
    ERASE_DELETED_USERS: Setting<bool> = Setting::new(
        "SOJOURN_ERASE_DELETED_USERS",
        "false",
        "With true each deletion of a user erases what describes the person from everything stored, as with erase=true",
        switch,
    );
    SEARCH_PAGE_LIMIT: Setting<u32> = Setting::new(
        "SOJOURN_SEARCH_PAGE_LIMIT",
        "200",
        "The most sessions on a page of the Janssen search, at most 1000",
        number::<_, 1, 1000>,
    );
    SEARCH_TOTAL_LIMIT: Setting<u32> = Setting::new(
        "SOJOURN_SEARCH_TOTAL_LIMIT",
        "10001",
        "The bound up to which the Janssen search counts matches",
        number::<_, 1, 1_000_000>,
    );
    KNOWN_APPLICATIONS_ONLY: Setting<bool> = Setting::new(
        "SOJOURN_KNOWN_APPLICATIONS_ONLY",
        "false",
        "With true no session is opened for a client_id that names no application",
        switch,
    );
    FRESHNESS: Setting<Freshness> = Setting::new(
        "SOJOURN_FRESHNESS",
        "fresh",
        "How old an answer may be: strict (never), or fresh (endings by other replicas apply within milliseconds)",
        |text| expected("strict or fresh", Freshness::parse(text)),
    );
    CACHE_MEGABYTES: Setting<u64> = Setting::new(
        "SOJOURN_CACHE_MEGABYTES",
        "64",
        "Memory for the cache of sessions, about 2000 a megabyte; 0 for none",
        number::<_, 0, 65_536>,
    );
    STREAM_LIMIT: Setting<u32> = Setting::new(
        "SOJOURN_STREAM_LIMIT",
        "10000",
        "Streams of events and watched sessions open at once, about 15 kB each",
        number::<_, 0, 1_000_000>,
    );
    STREAMS_PER_USER: Setting<u32> = Setting::new(
        "SOJOURN_STREAMS_PER_USER",
        "16",
        "The most of these streams that one user may have",
        number::<_, 0, 1_000_000>,
    );
    STREAMS_PER_SERVICE: Setting<u32> = Setting::new(
        "SOJOURN_STREAMS_PER_SERVICE",
        "1000",
        "The most of these streams that one service key may have",
        number::<_, 0, 1_000_000>,
    );
    JANSSEN_USER_DN: Setting<DnTemplate> = Setting::new(
        "SOJOURN_JANSSEN_USER_DN",
        "inum={id},ou=people,o=jans",
        "The distinguished name of a user in the Janssen API; {id} stands for the user's id",
        |text| expected("a name with {id} in it, such as inum={id},ou=people,o=jans", DnTemplate::parse(text)),
    );
    RATE_LIMIT: Setting<u32> = Setting::new(
        "SOJOURN_RATE_LIMIT",
        "0",
        "Requests per 5 minutes and caller, else per client address; 0 turns it off",
        |text| expected("a whole number", text.parse().ok()),
    );
    TRUSTED_PROXIES: OptionalSetting<Vec<IpNet>> = OptionalSetting::new(
        "SOJOURN_TRUSTED_PROXIES",
        "none",
        "Networks whose forwarding header is believed, such as 10.0.0.0/8, separated by commas",
        |text| {
            let networks = text.split(',').map(matching::proxy_network).collect();
            expected("networks that a proxy can be in, such as 10.0.0.0/8, separated by commas", networks)
        },
    );
    FORWARDING_HEADER: Setting<HeaderName> = Setting::new(
        "SOJOURN_FORWARDING_HEADER",
        "X-Forwarded-For",
        "The one header in which trusted proxies name the client: X-Forwarded-For, Forwarded, X-Real-IP, …",
        |text| {
            let allowed = "one header that names an address, such as X-Forwarded-For or Forwarded";
            expected(allowed, matching::forwarding_header(text))
        },
    );
    COOKIE: OptionalSetting<String> = OptionalSetting::new(
        "SOJOURN_COOKIE",
        "off",
        "Name of the cookie that may carry the session token, such as __Host-session",
        |text| expected("a cookie name, any prefix written __Host- or __Secure-", matching::cookie_name(text)),
    );
    COOKIE_SAME_SITE: Setting<SameSite> = Setting::new(
        "SOJOURN_COOKIE_SAME_SITE",
        "lax",
        "When browsers send our cookies along with requests of other sites: lax (links only), strict (never), or none (always)",
        |text| expected("lax, strict or none", SameSite::parse(text)),
    );
    CORS_ORIGINS: OptionalSetting<Vec<HeaderValue>> = OptionalSetting::new(
        "SOJOURN_CORS_ORIGINS",
        "none",
        "Origins that browsers may call from, by cookie too, separated by commas",
        |text| {
            let origins = text.split(',').map(matching::origin).collect();
            expected("origins as browsers send them, such as https://app.example.org, separated by commas", origins)
        },
    );
    LOG: Setting<String> = Setting::new(
        "SOJOURN_LOG",
        "info",
        "What is logged: error, warn, info, debug, or a filter such as sojourn=debug",
        |text| {
            let valid = tracing_subscriber::EnvFilter::try_new(text).is_ok();
            expected("a level or a filter", valid.then(|| text.to_owned()))
        },
    );
    LOG_FORMAT: Setting<LogFormat> = Setting::new(
        "SOJOURN_LOG_FORMAT",
        "pretty",
        "pretty or json",
        |text| expected("pretty or json", LogFormat::parse(text)),
    );
    CONFIG: OptionalSetting<String> = OptionalSetting::new(
        "SOJOURN_CONFIG",
        "none",
        "A TOML file with any of these settings",
        |text| Ok(text.to_owned()),
    );
}
