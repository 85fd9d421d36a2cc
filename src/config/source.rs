//! The sources of settings: a flag, else the environment, else a file. Unknown names are refused.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::setting::{Documented, OptionalSetting, SecretSetting, Setting, expected};
use super::settings::{CONFIG, SETTINGS};

/// The beginning of every name but those that many programs share.
const PREFIX: &str = "SOJOURN_";
/// The port that platforms such as Heroku and Cloud Run give.
const PORT: &str = "PORT";

/// An invalid setting: one line that names it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SettingError {
    name: String,
    problem: String,
}

impl SettingError {
    pub(super) fn new(name: impl Into<String>, problem: impl Display) -> Self {
        Self { name: name.into(), problem: problem.to_string() }
    }
}

/// The place that a setting came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The file that `SOJOURN_CONFIG` names.
    File,
    /// The environment.
    Environment,
    /// A flag of the command.
    Flag,
}

impl Origin {
    /// The place in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// The raw settings, by name.
#[derive(Debug, Clone, Default)]
pub struct Source {
    values: BTreeMap<String, SecretString>,
    origins: BTreeMap<String, Origin>,
}

impl Source {
    /// Reads the environment and the file, under `flags`, which win. Refuses unknown names.
    pub fn read(flags: BTreeMap<String, String>) -> Result<Self, SettingError> {
        Self::layer(flags, environment())
    }

    pub(super) fn layer(
        flags: BTreeMap<String, String>,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, SettingError> {
        let present =
            |values: BTreeMap<String, String>| values.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let (flags, environment): (BTreeMap<_, _>, BTreeMap<_, _>) = (present(flags), present(environment));
        let file = match flags.get(CONFIG.name).or_else(|| environment.get(CONFIG.name)) {
            Some(path) => read_file(Path::new(path))?,
            None => BTreeMap::new(),
        };
        let mut source = Self::default();
        for (origin, values) in [(Origin::File, file), (Origin::Environment, environment), (Origin::Flag, flags)] {
            for (name, value) in values {
                check_name(&name)?;
                source.origins.insert(name.clone(), origin);
                source.values.insert(name, value.into());
            }
        }
        Ok(source)
    }

    /// The place that a setting came from, or the file with its value.
    pub(super) fn origin(&self, setting: &dyn Documented) -> Origin {
        let names = [Some(setting.name().to_owned()), setting.file_name()];
        names.into_iter().flatten().find_map(|name| self.origin_of(&name)).unwrap_or(Origin::Default)
    }

    fn origin_of(&self, name: &str) -> Option<Origin> {
        self.origins.get(name).copied()
    }

    /// The place that the port came from, if it is set.
    pub(super) fn origin_of_port(&self) -> Option<Origin> {
        self.origin_of(PORT)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(ExposeSecret::expose_secret)
    }

    /// The value of a secret setting, given directly or in the file that `NAME_FILE` names.
    pub(super) fn secret(&self, setting: &SecretSetting) -> Result<Option<Zeroizing<String>>, SettingError> {
        let name = setting.name;
        let file_name = format!("{name}_FILE");
        match (self.text(name), self.text(&file_name)) {
            (Some(_), Some(_)) => Err(SettingError::new(name, format!("is set, and {file_name} too: choose one"))),
            (Some(value), None) => Ok(Some(Zeroizing::new(value.to_owned()))),
            (None, Some(path)) => {
                let text = read_secret_file(Path::new(path))
                    .map_err(|error| SettingError::new(file_name, format!("cannot read {path}: {error}")))?;
                Ok(Some(Zeroizing::new(text.trim().to_owned())))
            }
            (None, None) => Ok(None),
        }
    }

    /// Whether a setting is set, if only to its default.
    pub(super) fn has<T>(&self, setting: &Setting<T>) -> bool {
        self.text(setting.name).is_some()
    }

    /// The value of a setting, or its default.
    pub(super) fn get<T>(&self, setting: &Setting<T>) -> Result<T, SettingError> {
        let text = self.text(setting.name).unwrap_or(setting.default);
        parse(setting.name, text, setting.parse)
    }

    /// The value of a setting that may have none.
    pub(super) fn find<T>(&self, setting: &OptionalSetting<T>) -> Result<Option<T>, SettingError> {
        self.text(setting.name).map(|text| parse(setting.name, text, setting.parse)).transpose()
    }

    /// The port of `PORT`, a name that platforms give, for which there is no flag.
    pub(super) fn port(&self) -> Result<Option<u16>, SettingError> {
        let port = |text: &str| expected("a port number", text.parse().ok());
        self.text(PORT).map(|text| parse(PORT, text, port)).transpose()
    }
}

fn parse<T>(name: &str, text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, SettingError> {
    parse(text.trim()).map_err(|allowed| SettingError::new(name, format!("must be {allowed} (is \"{text}\")")))
}

/// Reads a file with a secret, and warns when every user of this machine may read it.
///
/// Read access for the group raises no warning, because orchestrators often mount secrets with a group.
pub(super) fn read_secret_file(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new)?;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o004 != 0 {
        let (file, mode) = (path.display(), format!("{:o}", mode & 0o777));
        tracing::warn!(%file, mode, "every user of this machine may read a file with a secret: chmod 600 would protect it");
    }
    Ok(text)
}

/// Whether the name is one that many programs share, and so has no prefix of ours.
fn is_foreign(name: &str) -> bool {
    ["DATABASE_URL", "DATABASE_URL_FILE", PORT].contains(&name)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment() -> BTreeMap<String, String> {
    let ours = |name: &str| name.starts_with("SOJOURN_") || ["DATABASE_URL", "DATABASE_URL_FILE", PORT].contains(&name);
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| ours(name) && !is_service_link(name, value))
        .collect()
}

/// Whether Kubernetes made the variable. Every container has variables that describe the services of its namespace,
/// among them services called `sojourn` or `sojourn-postgresql`. No setting has such a name.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let is_numbered = |rest: &str| {
        let mut parts = rest.split('_');
        let is_number = parts.next().is_some_and(|number| number.parse::<u16>().is_ok());
        let is_protocol = matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"));
        let is_part = matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR"));
        is_number && is_protocol && is_part && parts.next().is_none()
    };
    name.strip_prefix(PREFIX).is_some_and(|rest| {
        let rest = format!("_{rest}");
        rest.ends_with("_SERVICE_HOST")
            || rest.ends_with("_SERVICE_PORT")
            || rest.contains("_SERVICE_PORT_")
            || rest.ends_with("_PORT") && is_url
            || rest.match_indices("_PORT_").any(|(at, port)| is_numbered(&rest[at + port.len()..]))
    })
}

pub(super) fn check_name(name: &str) -> Result<(), SettingError> {
    let of_tests = cfg!(debug_assertions) && name == crate::failpoints::SETTING;
    let has_name =
        |setting: &&dyn Documented| setting.name() == name || setting.file_name().is_some_and(|file| file == name);
    let known = of_tests || name == PORT || SETTINGS.iter().any(has_name);
    if known { Ok(()) } else { Err(SettingError::new(name, "there is no such setting (see sojourn serve --help)")) }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>, SettingError> {
    let error = |problem: String| SettingError::new(CONFIG.name, format!("{}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|problem| error(problem.to_string()))?;
    let table: toml::Table = text.parse().map_err(|problem: toml::de::Error| error(problem.message().to_owned()))?;
    let mut values = BTreeMap::new();
    for (written, value) in table {
        let name = name_in_file(&written);
        check_name(&name).map_err(|_| error(format!("{written}: there is no such setting")))?;
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(switch) => switch.to_string(),
            _ => return Err(error(format!("{written} must be text, a whole number, true or false"))),
        };
        if values.insert(name, text).is_some() {
            return Err(error(format!("{written} is there twice, in capitals and in small letters")));
        }
    }
    Ok(values)
}

/// The setting that a name in a file stands for: `retention` is short for `SOJOURN_RETENTION`.
fn name_in_file(written: &str) -> String {
    let is_short = |c: char| c.is_ascii_lowercase() || c == '_';
    let name = written.to_ascii_uppercase();
    match (written.chars().all(is_short), is_foreign(&name) || name.starts_with(PREFIX)) {
        (false, _) => written.to_owned(),
        (true, true) => name,
        (true, false) => format!("{PREFIX}{name}"),
    }
}
