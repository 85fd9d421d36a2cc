//! Every setting: its name, its default, its check. Read once at the start and passed down; nothing else reads the
//! environment.
//!
//! A setting comes from a flag, else the environment, else the TOML file that `--config` or `SOJOURN_CONFIG` names,
//! under the same name in each. An empty value counts as none. Durations are seconds, or text such as `30d` or `15m`.

mod matching;
mod secrets;
mod server;
mod settings;
mod source;

use std::path::PathBuf;

use axum::http::{HeaderName, HeaderValue};
use chrono::TimeDelta;
use ipnet::IpNet;
use secrecy::SecretString;
use zeroize::Zeroizing;

pub use secrets::bootstrap_key;
pub use server::ServerConfig;
pub use settings::SETTINGS;
pub use source::{SettingError, Source, parse_duration};

use crate::api::janssen::dn::DnTemplate;
use crate::clock::Entropy;
use crate::model::{LimitPolicy, SessionLimit};
use crate::sessions::{Freshness, IpStorage, MIN_LIFETIME, Policy, Profile};
use crate::store;
use crate::tokens::{Algorithm, MAX_ACCESS_TOKEN_LIFETIME, MasterSecret};

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The settings of the log: read first, so that everything after can be logged.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The filter, in the syntax of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// The format.
    pub format: LogFormat,
}

impl LogConfig {
    /// Reads and checks the settings.
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let format = source.parse("SOJOURN_LOG_FORMAT", "pretty or json", |text| match text {
            "pretty" => Some(LogFormat::Pretty),
            "json" => Some(LogFormat::Json),
            _ => None,
        })?;
        let valid = |text: &str| tracing_subscriber::EnvFilter::try_new(text).is_ok().then(|| text.to_owned());
        let filter = source.parse("SOJOURN_LOG", "a level or a filter", valid)?;
        Ok(Self { filter: filter.unwrap_or_else(|| "info".to_owned()), format: format.unwrap_or(LogFormat::Pretty) })
    }
}

/// The address to listen on, which the health check asks too.
pub fn listen_address(source: &Source) -> Result<String, SettingError> {
    let listen = address(source, "SOJOURN_LISTEN")?;
    let port = source.parse("PORT", "a port number", |text| text.parse::<u16>().ok())?;
    Ok(listen.or_else(|| port.map(|port| format!("0.0.0.0:{port}"))).unwrap_or_else(|| "127.0.0.1:8080".to_owned()))
}

fn address(source: &Source, name: &str) -> Result<Option<String>, SettingError> {
    source.parse(name, "an address and a port such as 127.0.0.1:8080", |text| {
        let (host, port) = text.rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| text.to_owned())
    })
}

/// The database and the master secrets: the settings that every command needs.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// The URL of the database.
    pub database_url: SecretString,
    /// The URL of the read replica for searches.
    pub search_database_url: Option<SecretString>,
    /// The location of the database without a password, for display.
    pub database_shown: String,
    /// The maximum number of connections to the database.
    pub connections: u32,
    /// The master secret.
    pub secret: MasterSecret,
    /// Former master secrets, whose tokens are still valid.
    pub previous_secrets: Vec<MasterSecret>,
}

impl StorageConfig {
    /// Reads and checks the settings. With SQLite, creates the data folder, and the secret when none is set.
    pub fn read(source: &Source, entropy: &dyn Entropy) -> Result<Self, SettingError> {
        let data_dir = PathBuf::from(source.text("SOJOURN_DATA_DIR").unwrap_or("./sojourn-data"));
        let (database_url, database_shown) = match source.secret("DATABASE_URL")? {
            Some(url) => {
                let shown = without_password(&url);
                (url, shown)
            }
            None => {
                let file = data_dir.join("sojourn.db");
                (Zeroizing::new(format!("sqlite://{}", file.display())), file.display().to_string())
            }
        };
        let embedded = database_url.starts_with("sqlite:");
        if !embedded && !database_url.starts_with("postgres:") && !database_url.starts_with("postgresql:") {
            return Err(SettingError::new("DATABASE_URL", "must begin with sqlite:// or postgres://"));
        }
        let search_database_url = source.secret("SOJOURN_SEARCH_DATABASE_URL")?;
        if search_database_url.is_some() && embedded {
            return Err(SettingError::new("SOJOURN_SEARCH_DATABASE_URL", "needs a PostgreSQL in DATABASE_URL"));
        }
        let previous_secrets = secrets::previous_secrets(source)?;
        let secret = match source.secret("SOJOURN_SECRET")? {
            Some(text) => MasterSecret::parse(&text).map_err(|error| SettingError::new("SOJOURN_SECRET", error))?,
            None if embedded => {
                let is_new = store::is_new(&database_url).map_err(|error| SettingError::new("DATABASE_URL", error))?;
                secrets::kept_secret(&data_dir, is_new, entropy)?
            }
            None => {
                let problem = "must be set with PostgreSQL, to the same value in every replica (openssl rand -base64 32 makes one)";
                return Err(SettingError::new("SOJOURN_SECRET", problem));
            }
        };
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| (1..=500).contains(number));
        let connections = source.parse("SOJOURN_DATABASE_CONNECTIONS", "a number from 1 to 500", number)?.unwrap_or(24);
        if source.text("DATABASE_URL").or(source.text("DATABASE_URL_FILE")).is_none() {
            secrets::make_folder(&data_dir)?;
        }
        Ok(Self {
            database_url: database_url.as_str().into(),
            search_database_url: search_database_url.map(|url| url.as_str().into()),
            database_shown,
            connections,
            secret,
            previous_secrets,
        })
    }
}

fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, place)| place))
        }
        None => url.to_owned(),
    }
}

/// The settings of access tokens.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// The `iss` claim.
    pub issuer: String,
    /// The `aud` claim.
    pub audience: String,
    /// The signature algorithm.
    pub algorithm: Algorithm,
    /// The age at which a signing key is replaced.
    pub key_age: TimeDelta,
}

impl TokenConfig {
    /// Reads and checks the settings.
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let plain = |text: &str| (!text.chars().any(|c| c.is_control() || c.is_whitespace())).then(|| text.to_owned());
        let url = "an http or https URL without query and fragment";
        let issuer = source.parse("SOJOURN_ISSUER", url, matching::issuer)?;
        let audience = source.parse("SOJOURN_AUDIENCE", "text without spaces", plain)?;
        let algorithm = source.parse("SOJOURN_SIGNING_ALGORITHM", "EdDSA, ES256 or RS256", Algorithm::parse)?;
        let key_age = source.duration("SOJOURN_SIGNING_KEY_AGE", TimeDelta::hours(1), None)?;
        let defaults = Self::default();
        Ok(Self {
            issuer: issuer.unwrap_or(defaults.issuer),
            audience: audience.unwrap_or(defaults.audience),
            algorithm: algorithm.unwrap_or(defaults.algorithm),
            key_age: key_age.unwrap_or(defaults.key_age),
        })
    }
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self {
            issuer: "http://localhost:8080".to_owned(),
            audience: "sojourn".to_owned(),
            algorithm: Algorithm::EdDsa,
            key_age: TimeDelta::days(90),
        }
    }
}

/// Reads and checks the policy.
pub fn policy(source: &Source) -> Result<Policy, SettingError> {
    let defaults = Policy::default();
    let profile_name = source.parse("SOJOURN_PROFILE", "default, aal1, aal2 or aal3", Profile::parse)?;
    let profile = profile_name.unwrap_or(Profile::Default);
    let mut lifetime = profile.lifetime();
    // The default profile is a suggestion, a named level is a promise.
    let bound = |most| if profile == Profile::Default { None } else { most };
    if let Some(absolute) =
        source.duration("SOJOURN_ABSOLUTE_LIFETIME", MIN_LIFETIME, bound(Some(lifetime.absolute)))?
    {
        lifetime.absolute = absolute;
    }
    if let Some(idle) = source.duration("SOJOURN_IDLE_TIMEOUT", MIN_LIFETIME, bound(lifetime.idle))? {
        lifetime.idle = Some(idle);
    }
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| (1..=10_000).contains(number));
    let most = source.parse("SOJOURN_MAX_SESSIONS_PER_USER", "a number from 1 to 10000", number)?;
    let names = "evict_oldest, evict_least_recent or reject";
    let limit_policy = source.parse("SOJOURN_SESSION_LIMIT_POLICY", names, LimitPolicy::parse)?;
    let ip_storage = source.parse("SOJOURN_IP_STORAGE", "full, truncated or off", IpStorage::parse)?;
    let access =
        source.duration("SOJOURN_ACCESS_TOKEN_LIFETIME", TimeDelta::seconds(10), Some(MAX_ACCESS_TOKEN_LIFETIME))?;
    let grace = source.duration("SOJOURN_REFRESH_GRACE", TimeDelta::zero(), Some(TimeDelta::minutes(5)))?;
    let extension = source.duration("SOJOURN_LONGEST_EXTENSION", TimeDelta::zero(), None)?;
    let up_to = |most: u32| move |text: &str| text.parse::<u32>().ok().filter(|number| (1..=most).contains(number));
    let page = source.parse("SOJOURN_SEARCH_PAGE_LIMIT", "a number from 1 to 1000", up_to(1000))?;
    let total = source.parse("SOJOURN_SEARCH_TOTAL_LIMIT", "a number from 1 to 1000000", up_to(1_000_000))?;
    let retention = source.duration("SOJOURN_RETENTION", TimeDelta::zero(), None)?;
    let erase = source.parse("SOJOURN_ERASE_DELETED_USERS", "true or false", |text| text.parse().ok())?;
    let freshness = source.parse("SOJOURN_FRESHNESS", "strict or fresh", Freshness::parse)?;
    let megabytes = |text: &str| text.parse::<u64>().ok().filter(|number| *number <= 65_536);
    let cache = source.parse("SOJOURN_CACHE_MEGABYTES", "a number from 0 to 65536", megabytes)?;
    Ok(Policy {
        lifetime,
        access_token_lifetime: access.unwrap_or(defaults.access_token_lifetime),
        refresh_grace: grace.unwrap_or(defaults.refresh_grace),
        sliding: source.duration("SOJOURN_SLIDING", MIN_LIFETIME, None)?,
        session_limit: most.map(|most| SessionLimit { most, policy: limit_policy.unwrap_or(LimitPolicy::EvictOldest) }),
        longest_extension: extension.unwrap_or(defaults.longest_extension),
        ip_storage: ip_storage.unwrap_or(defaults.ip_storage),
        retention: retention.unwrap_or(defaults.retention),
        erase_deleted_users: erase.unwrap_or(defaults.erase_deleted_users),
        freshness: freshness.unwrap_or(defaults.freshness),
        cache_bytes: cache.map_or(defaults.cache_bytes, |megabytes| megabytes << 20),
        streams: server::stream_limits(source)?,
        search_page_limit: page.unwrap_or(defaults.search_page_limit),
        search_total_limit: total.unwrap_or(defaults.search_total_limit),
    })
}

/// The settings that only the server needs.
#[derive(Debug, Clone, Default)]
pub struct HttpConfig {
    /// The name of the cookie that may carry a session token.
    pub cookie: Option<String>,
    /// The origins that browsers may call from.
    pub cors_origins: Vec<HeaderValue>,
    /// The names of users in the Janssen API.
    pub janssen_user_dn: DnTemplate,
    /// The maximum number of requests per five minutes and caller; 0: unlimited.
    pub rate_limit: u32,
    /// The proxies that are trusted to name a client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they name it; `None`: `X-Forwarded-For`.
    pub forwarding_header: Option<HeaderName>,
    /// The separate address of the metrics; `None`: the main address.
    pub metrics_listen: Option<String>,
}

impl HttpConfig {
    /// Reads and checks the settings.
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let name = "a cookie name, any prefix written __Host- or __Secure-";
        let cookie = source.parse("SOJOURN_COOKIE", name, matching::cookie_name)?;
        let list = |text: &str| text.split(',').map(matching::origin).collect::<Option<Vec<_>>>();
        let expected = "origins as browsers send them, such as https://app.example.org, separated by commas";
        let cors_origins = source.parse("SOJOURN_CORS_ORIGINS", expected, list)?.unwrap_or_default();
        let template = "a name with {id} in it, such as inum={id},ou=people,o=jans";
        let janssen_user_dn = source.parse("SOJOURN_JANSSEN_USER_DN", template, DnTemplate::parse)?.unwrap_or_default();
        let rate_limit =
            source.parse("SOJOURN_RATE_LIMIT", "a whole number", |text| text.parse().ok())?.unwrap_or_default();
        let networks = |text: &str| text.split(',').map(matching::proxy_network).collect::<Option<Vec<_>>>();
        let expected = "networks that a proxy can be in, such as 10.0.0.0/8, separated by commas";
        let trusted_proxies = source.parse("SOJOURN_TRUSTED_PROXIES", expected, networks)?.unwrap_or_default();
        let header = "one header that names an address, such as X-Forwarded-For or Forwarded";
        let forwarding_header = source.parse("SOJOURN_FORWARDING_HEADER", header, matching::forwarding_header)?;
        let cookie = cookie.filter(|name| name != "off");
        let metrics_listen = address(source, "SOJOURN_METRICS_LISTEN")?;
        Ok(Self {
            cookie,
            cors_origins,
            janssen_user_dn,
            rate_limit,
            trusted_proxies,
            forwarding_header,
            metrics_listen,
        })
    }
}

#[cfg(test)]
mod tests;
