//! Every setting: its name, its default, its check. Read once at the start and passed down; nothing else reads the
//! environment.
//!
//! A setting comes from a flag, else the environment, else the TOML file that `--config` or `SOJOURN_CONFIG` names,
//! under the same name in each; in a file `retention` will do for `SOJOURN_RETENTION`. An empty value counts as none. Durations are seconds, or text such as `30d` or `15m`.

mod account;
mod console_address;
mod durations;
mod log_format;
mod matching;
mod same_site;
mod secrets;
mod server;
mod setting;
mod settings;
mod shown;
mod source;
mod theme;

use std::path::PathBuf;

use axum::http::{HeaderName, HeaderValue};
use chrono::TimeDelta;
use ipnet::IpNet;
use secrecy::SecretString;
use zeroize::Zeroizing;

pub use account::{AccountConfig, Logo};
pub use console_address::ConsoleAddress;
pub use durations::parse_duration;
pub use log_format::LogFormat;
pub use same_site::SameSite;
pub use secrets::bootstrap_key;
pub use server::ServerConfig;
pub use setting::Documented;
pub use settings::SETTINGS;
pub use shown::{ShownSetting, shown_settings};
pub use source::{Origin, SettingError, Source};
pub use theme::{Accent, Colour};

use self::durations::written;
use self::setting::OptionalSetting;
use crate::api::janssen::dn::DnTemplate;
use crate::clock::Entropy;
use crate::model::{Algorithm, SessionLimit};
use crate::sessions::{Lifetime, Policy, Profile, StreamLimits};
use crate::store;
use crate::tokens::MasterSecret;

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
        Ok(Self { filter: source.get(&settings::LOG)?, format: source.get(&settings::LOG_FORMAT)? })
    }

    /// As [`LogConfig::read`], for a command. A person waits for its result, not for the log: unless the operator has
    /// chosen a level, only warnings and errors are logged.
    pub fn read_for_command(source: &Source) -> Result<Self, SettingError> {
        let log = Self::read(source)?;
        let filter = if source.has(&settings::LOG) { log.filter } else { "warn".to_owned() };
        Ok(Self { filter, ..log })
    }
}

/// The address to listen on, which the health check asks too.
pub fn listen_address(source: &Source) -> Result<String, SettingError> {
    let listen = source.find(&settings::LISTEN)?;
    let port = source.port()?.map(|port| format!("0.0.0.0:{port}"));
    Ok(listen.or(port).unwrap_or_else(|| settings::DEFAULT_LISTEN.to_owned()))
}

/// Whether the operator has chosen an issuer. The default is good for a trial on one machine.
pub fn has_issuer(source: &Source) -> bool {
    source.has(&settings::ISSUER)
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
        let data_dir = PathBuf::from(source.get(&settings::DATA_DIR)?);
        let set_url = source.secret(&settings::DATABASE_URL)?;
        let is_default = set_url.is_none();
        let (database_url, database_shown) = match set_url {
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
            return Err(SettingError::new(settings::DATABASE_URL.name, "must begin with sqlite:// or postgres://"));
        }
        let search_database_url = source.secret(&settings::SEARCH_DATABASE_URL)?;
        if search_database_url.is_some() && embedded {
            return Err(SettingError::new(settings::SEARCH_DATABASE_URL.name, "needs a PostgreSQL in DATABASE_URL"));
        }
        let previous_secrets = secrets::previous_secrets(source)?;
        let secret = match source.secret(&settings::SECRET)? {
            Some(text) => {
                MasterSecret::parse(&text).map_err(|error| SettingError::new(settings::SECRET.name, error))?
            }
            None if embedded => {
                let is_new = store::is_new(&database_url)
                    .map_err(|error| SettingError::new(settings::DATABASE_URL.name, error))?;
                secrets::kept_secret(&data_dir, is_new, entropy)?
            }
            None => {
                let problem = "must be set with PostgreSQL, to the same value in every replica (openssl rand -base64 32 makes one)";
                return Err(SettingError::new(settings::SECRET.name, problem));
            }
        };
        let connections = source.get(&settings::DATABASE_CONNECTIONS)?;
        if is_default {
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
        Ok(Self {
            issuer: source.get(&settings::ISSUER)?,
            audience: source.get(&settings::AUDIENCE)?,
            algorithm: source.get(&settings::SIGNING_ALGORITHM)?,
            key_age: source.get(&settings::SIGNING_KEY_AGE)?,
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
    let limit_policy = source.get(&settings::SESSION_LIMIT_POLICY)?;
    let most = source.find(&settings::MAX_SESSIONS_PER_USER)?;
    Ok(Policy {
        lifetime: lifetime(source)?,
        access_token_lifetime: source.get(&settings::ACCESS_TOKEN_LIFETIME)?,
        refresh_grace: source.get(&settings::REFRESH_GRACE)?,
        sliding: source.find(&settings::SLIDING)?,
        console: Lifetime {
            absolute: source.get(&settings::CONSOLE_LIFETIME)?,
            idle: Some(source.get(&settings::CONSOLE_IDLE)?),
        },
        reauth_within: source.find(&settings::REAUTH_WITHIN)?,
        session_limit: most.map(|most| SessionLimit { most, policy: limit_policy }),
        longest_extension: source.get(&settings::LONGEST_EXTENSION)?,
        ip_storage: source.get(&settings::IP_STORAGE)?,
        retention: source.get(&settings::RETENTION)?,
        audit_retention: source.get(&settings::AUDIT_RETENTION)?,
        erase_deleted_users: source.get(&settings::ERASE_DELETED_USERS)?,
        known_applications_only: source.get(&settings::KNOWN_APPLICATIONS_ONLY)?,
        freshness: source.get(&settings::FRESHNESS)?,
        cache_bytes: source.get(&settings::CACHE_MEGABYTES)? << 20,
        streams: StreamLimits {
            most: source.get(&settings::STREAM_LIMIT)?,
            of_user: source.get(&settings::STREAMS_PER_USER)?,
            of_service: source.get(&settings::STREAMS_PER_SERVICE)?,
        },
        search_page_limit: source.get(&settings::SEARCH_PAGE_LIMIT)?,
        search_total_limit: source.get(&settings::SEARCH_TOTAL_LIMIT)?,
    })
}

/// The files of places.
pub fn geoip_files(source: &Source) -> Result<Vec<PathBuf>, SettingError> {
    Ok(source.find(&settings::GEOIP_DATABASE)?.unwrap_or_default())
}

/// The limits of the profile, or the configured ones. The default profile is a suggestion, but a named level is a
/// promise: its limits can only be tightened.
fn lifetime(source: &Source) -> Result<Lifetime, SettingError> {
    let profile = source.get(&settings::PROFILE)?;
    let limits = profile.lifetime();
    let within = |setting: &OptionalSetting<TimeDelta>, limit: Option<TimeDelta>| {
        let limit = limit.filter(|_| profile != Profile::Default);
        match (source.find(setting)?, limit) {
            (Some(asked), Some(limit)) if asked > limit => Err(SettingError::new(
                setting.name,
                format!("must be at most {} with this SOJOURN_PROFILE", written(limit)),
            )),
            (asked, _) => Ok(asked),
        }
    };
    let absolute = within(&settings::ABSOLUTE_LIFETIME, Some(limits.absolute))?.unwrap_or(limits.absolute);
    let idle = within(&settings::IDLE_TIMEOUT, limits.idle)?.or(limits.idle);
    Ok(Lifetime { absolute, idle })
}

/// The settings that only the server needs.
#[derive(Debug, Clone, Default)]
pub struct HttpConfig {
    /// The name of the cookie that may carry a session token.
    pub cookie: Option<String>,
    /// The attribute of our cookies that tells browsers which sites may make them send it.
    pub cookie_same_site: SameSite,
    /// The address of the console.
    pub console: ConsoleAddress,
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
    /// The settings of the account page.
    pub account: AccountConfig,
}

impl HttpConfig {
    /// Reads and checks the settings.
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        Ok(Self {
            cookie: source.find(&settings::COOKIE)?.filter(|name| name != "off"),
            cookie_same_site: source.get(&settings::COOKIE_SAME_SITE)?,
            console: console_address(source)?,
            cors_origins: source.find(&settings::CORS_ORIGINS)?.unwrap_or_default(),
            janssen_user_dn: source.get(&settings::JANSSEN_USER_DN)?,
            rate_limit: source.get(&settings::RATE_LIMIT)?,
            trusted_proxies: source.find(&settings::TRUSTED_PROXIES)?.unwrap_or_default(),
            forwarding_header: Some(source.get(&settings::FORWARDING_HEADER)?),
            metrics_listen: source.find(&settings::METRICS_LISTEN)?,
            account: AccountConfig::read(source)?,
        })
    }
}

fn console_address(source: &Source) -> Result<ConsoleAddress, SettingError> {
    match (source.get(&settings::CONSOLE)?, source.find(&settings::CONSOLE_LISTEN)?) {
        (true, None) => Ok(ConsoleAddress::Main),
        (true, Some(address)) => Ok(ConsoleAddress::Own(address)),
        (false, None) => Ok(ConsoleAddress::None),
        (false, Some(_)) => Err(SettingError::new(settings::CONSOLE_LISTEN.name, "is set, but SOJOURN_CONSOLE is off")),
    }
}

#[cfg(test)]
mod tests;
