//! The conditions of a search as arguments, by the names that they have in the API.

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::CommandError;
use super::arguments::of_session_arguments;
use crate::api::native::wire;
use crate::model::{Criteria, Sort};

/// The ids of the arguments of [`Conditions`].
pub(super) const CONDITIONS: [&str; 11] = [
    "user",
    "user_name",
    "email",
    "client",
    "device_type",
    "ip_address",
    "browser",
    "os",
    "opened_by",
    "created_from",
    "created_to",
];

/// Conditions on properties of a session that do not change with its use.
#[derive(Debug, Args)]
#[group(id = "conditions", multiple = true)]
pub(super) struct Conditions {
    /// Only sessions of this user
    #[arg(long)]
    pub(super) user: Option<String>,
    /// Only sessions of users with this name: list goes by its beginning, revoke by all of it
    #[arg(long, value_name = "NAME")]
    user_name: Option<String>,
    /// Only sessions of users with this email address
    #[arg(long)]
    email: Option<String>,
    /// Only sessions opened for this application
    #[arg(long)]
    client: Option<String>,
    /// Only sessions on this kind of device, such as mobile
    #[arg(long)]
    device_type: Option<String>,
    /// Only sessions from this address or network, such as 198.51.100.0/24
    #[arg(long, value_name = "NETWORK")]
    ip_address: Option<String>,
    /// Only sessions with this browser, such as Firefox
    #[arg(long)]
    browser: Option<String>,
    /// Only sessions with this operating system, such as Linux
    #[arg(long)]
    os: Option<String>,
    /// Only sessions opened with this credential: key:… or session:… with an id, bootstrap, or command-line
    #[arg(long, value_name = "CREDENTIAL")]
    opened_by: Option<String>,
    /// Only sessions opened at this time or later, such as 2026-11-26T20:00:00Z
    #[arg(long, value_name = "TIME")]
    created_from: Option<String>,
    /// Only sessions opened before this time
    #[arg(long, value_name = "TIME")]
    created_to: Option<String>,
}

/// Conditions on what changes with use, and the order.
#[derive(Debug, Args)]
pub(super) struct Listing {
    /// Only sessions in this state: active, idle_expired, expired or ended
    #[arg(long)]
    state: Option<String>,
    /// Only sessions that were ended for this reason, such as logout
    #[arg(long, value_name = "REASON")]
    ended_reason: Option<String>,
    /// Only sessions last used at this time or later
    #[arg(long, value_name = "TIME")]
    last_seen_from: Option<String>,
    /// Only sessions last used before this time
    #[arg(long, value_name = "TIME")]
    last_seen_to: Option<String>,
    /// created_at, expires_at, or with --user last_seen_at; with - in front the latest come first
    #[arg(long, allow_hyphen_values = true)]
    sort: Option<String>,
}

impl Conditions {
    /// Whether the user is the only condition.
    pub(super) fn only_user(&self) -> Option<&str> {
        let user = self.user.as_deref()?;
        self.named().iter().all(|(name, value)| *name == "user_id" || value.is_none()).then_some(user)
    }

    fn named(&self) -> [(&'static str, &Option<String>); 11] {
        let Self {
            user,
            user_name,
            email,
            client,
            device_type,
            ip_address,
            browser,
            os,
            opened_by,
            created_from,
            created_to,
        } = self;
        [
            ("user_id", user),
            ("user_name", user_name),
            ("email", email),
            ("client_id", client),
            ("device_type", device_type),
            ("ip_address", ip_address),
            ("browser", browser),
            ("os", os),
            ("opened_by", opened_by),
            ("created_from", created_from),
            ("created_to", created_to),
        ]
    }

    /// The criteria in the core's types.
    pub(super) fn criteria(&self) -> Result<Criteria, CommandError> {
        Ok(read(&self.named())?.0)
    }

    /// The criteria and the order in the core's types.
    pub(super) fn listed(&self, listing: &Listing) -> Result<(Criteria, Sort), CommandError> {
        let Listing { state, ended_reason, last_seen_from, last_seen_to, sort } = listing;
        let more = [
            ("state", state),
            ("ended_reason", ended_reason),
            ("last_seen_from", last_seen_from),
            ("last_seen_to", last_seen_to),
            ("sort", sort),
        ];
        read(&[&self.named()[..], &more].concat())
    }
}

/// Reads the arguments as the API reads its parameters, so that the same words are valid.
fn read(arguments: &[(&'static str, &Option<String>)]) -> Result<(Criteria, Sort), CommandError> {
    let search: wire::SearchSessions = read_parameters(arguments)?;
    search.criteria().map_err(|error| of_session_arguments(error.into()))
}

/// The parameters of an operation from arguments of the same names.
pub(super) fn read_parameters<T: DeserializeOwned>(
    arguments: &[(&'static str, &Option<String>)],
) -> Result<T, CommandError> {
    let given = arguments.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.as_deref()?.into())));
    let given = Value::Object(given.collect::<Map<String, Value>>());
    serde_path_to_error::deserialize(given).map_err(|error| {
        CommandError::Other(format!("--{}: {}", error.path().to_string().replace('_', "-"), error.inner()))
    })
}
