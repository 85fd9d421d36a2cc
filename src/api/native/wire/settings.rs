//! The settings of the server.

use serde::Serialize;
use utoipa::ToSchema;

use crate::config::{Origin, ShownSetting};

/// All settings of the replica that answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettingList {
    settings: Vec<Setting>,
}

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
pub struct Setting {
    /// Name of the setting.
    #[schema(example = "SOJOURN_RETENTION")]
    name: &'static str,
    /// Description of the setting.
    description: String,
    /// Default, or what the server does without a value; absent if there is nothing to say.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(example = "30d")]
    default: &'static str,
    /// Value in force; absent if there is none, and always for a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "90d")]
    value: Option<String>,
    /// The source of the value: `default`, `file` (the configuration file), `environment` or `flag`.
    #[schema(example = "environment")]
    source: &'static str,
    /// Whether the value is a secret, so that it is not shown.
    secret: bool,
    /// Whether somebody set it.
    is_set: bool,
}

impl SettingList {
    pub(in crate::api::native) fn new(settings: &[ShownSetting]) -> Self {
        Self { settings: settings.iter().cloned().map(Setting::from).collect() }
    }
}

impl From<ShownSetting> for Setting {
    fn from(setting: ShownSetting) -> Self {
        let ShownSetting { name, description, default, value, origin, is_secret } = setting;
        let is_set = origin != Origin::Default;
        Self { name, description, default, value, source: origin.as_str(), secret: is_secret, is_set }
    }
}
