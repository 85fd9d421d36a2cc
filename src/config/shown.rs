//! The settings as operators may see them: with the values in force and their origins, and without a secret.

use super::durations::written;
use super::server::ServerConfig;
use super::setting::Documented;
use super::settings;
use super::source::{Origin, Source};
use crate::sessions::Policy;

/// A setting, without its value where that is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSetting {
    /// Its name in the environment.
    pub name: &'static str,
    /// One sentence about it.
    pub description: String,
    /// The default, or the meaning of no value; may be empty.
    pub default: &'static str,
    /// The value in force; `None`: there is none, or it is a secret.
    pub value: Option<String>,
    /// The place that it came from.
    pub origin: Origin,
    /// Whether its value is a secret.
    pub is_secret: bool,
}

/// Every setting in the order of `--help`. `listen`, `server` and `policy` are what was made of the settings: some values
/// follow from the machine or from other settings.
pub fn shown_settings(source: &Source, listen: &str, server: &ServerConfig, policy: &Policy) -> Vec<ShownSetting> {
    let derived = [
        (settings::LISTEN.name, listen.to_owned()),
        (settings::MAX_CONNECTIONS.name, server.most_connections.to_string()),
        (settings::CONNECTIONS_PER_ADDRESS.name, server.most_connections_of_address.to_string()),
        (settings::ABSOLUTE_LIFETIME.name, written(policy.lifetime.absolute)),
        (settings::IDLE_TIMEOUT.name, policy.lifetime.idle.map_or_else(|| "none".to_owned(), written)),
        (settings::STREAM_LIMIT.name, policy.streams.most.to_string()),
    ];
    let mut shown = source.shown();
    for setting in &mut shown {
        if let Some((_, value)) = derived.iter().find(|(name, _)| *name == setting.name) {
            setting.value = Some(value.clone());
        }
        if setting.name == settings::LISTEN.name && setting.origin == Origin::Default {
            setting.origin = source.origin_of_port().unwrap_or(Origin::Default);
        }
    }
    shown
}

impl Source {
    /// Every setting as it was set, or its default.
    pub(super) fn shown(&self) -> Vec<ShownSetting> {
        let shown = |setting: &&dyn Documented| {
            let (name, is_secret) = (setting.name(), setting.is_secret());
            // The text of a secret is not even looked at.
            let value = if is_secret { None } else { self.text(name).or(setting.default_value()) };
            ShownSetting {
                name,
                description: setting.help(),
                default: setting.default(),
                value: value.map(|value| value.trim().to_owned()),
                origin: self.origin(*setting),
                is_secret,
            }
        };
        settings::SETTINGS.iter().map(shown).collect()
    }
}
