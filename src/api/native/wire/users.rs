//! Searches for users, and the deletion and the export of a user.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::{Session, User};
use crate::api::timestamp;
use crate::model::{FieldError, MAX_USER_DETAIL_CHARS};
use crate::sessions::{Error, UserQuery};
use crate::tokens::LinkText;
use crate::{model, sessions};

/// The parameters of a search for users. Every user meets a condition that is left out.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchUsers {
    /// Only users with an id, a name or an email address that begins with this. In names and addresses the case of ASCII
    /// letters makes no difference.
    search: Option<String>,
    /// Only users with this email address, whatever the case of ASCII letters.
    email: Option<String>,
    /// Only banned users, or only users who are not banned.
    banned: Option<bool>,
    /// Maximum number of users on the page, 1 to 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    pub(in crate::api::native) limit: Option<u32>,
    /// `next_cursor` of the previous page.
    pub(in crate::api::native) cursor: Option<String>,
}

impl SearchUsers {
    /// The query in the core's types.
    pub fn query(&self) -> Result<UserQuery, FieldError> {
        let plain = |field, value: &Option<String>| {
            value.clone().map(|text| model::text::required(field, text, MAX_USER_DETAIL_CHARS)).transpose()
        };
        Ok(UserQuery { text: plain("search", &self.search)?, email: plain("email", &self.email)?, banned: self.banned })
    }
}

/// One page of users, in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserPage {
    users: Vec<User>,
    /// Cursor of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl From<sessions::UserPage> for UserPage {
    fn from(sessions::UserPage { users, next_cursor }: sessions::UserPage) -> Self {
        Self { users: users.into_iter().map(User::from).collect(), next_cursor }
    }
}

/// The circumstances of a ban.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BanUser {
    /// The reason of the ban, for people: shown as the user's `ban_reason`. A ban of a banned user without a reason leaves the
    /// former one.
    #[schema(example = "Chargeback", max_length = 255)]
    pub(in crate::api::native) reason: Option<String>,
}

/// The options of a deletion.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteUser {
    /// Whether to erase personal data from the user's stored sessions at once.
    #[serde(default)]
    #[param(default = false)]
    pub(in crate::api::native) erase: bool,
}

/// Result of a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedUser {
    /// Number of active sessions that were ended.
    ended: usize,
    /// Number of sessions, active or not, from which personal data was erased; absent after a deletion without erasure.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<u64>,
}

impl From<sessions::DeletedUser> for DeletedUser {
    fn from(deleted: sessions::DeletedUser) -> Self {
        let sessions::DeletedUser { ended, erased } = deleted;
        Self { ended, erased }
    }
}

/// All data stored about a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserExport {
    /// The user; absent after its deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    /// All sessions of the user in every state, newest first.
    sessions: Vec<Session>,
}

impl UserExport {
    /// The document before and after its sessions.
    pub(in crate::api::native) fn around_sessions(user: Option<model::User>) -> Result<(String, String), Error> {
        let text = json(&Self { user: user.map(User::from), sessions: Vec::new() })?;
        let (start, end) = text.rsplit_once(']').ok_or_else(|| Error::Internal("no list is in the export".into()))?;
        Ok((start.to_owned(), format!("]{end}")))
    }

    /// Some of the document's sessions, after `separator`.
    pub(in crate::api::native) fn sessions(separator: &str, page: &[Session]) -> Result<String, Error> {
        let list = json(&page)?;
        let inner = list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or_default();
        Ok(format!("{separator}{inner}"))
    }
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Internal(error.into()))
}

/// A link to a user's account page.
#[derive(Serialize, ToSchema)]
pub struct AccountLink {
    /// URL that the user opens in a browser, once.
    #[schema(example = "https://sessions.example.com/account/links/sjl_…")]
    url: String,
    /// Time from which on the link opens nothing.
    #[serde(serialize_with = "timestamp::serialize")]
    expires_at: DateTime<Utc>,
}

impl AccountLink {
    /// The link at a server with this issuer.
    pub fn new(issuer: &str, link: &LinkText, expires_at: DateTime<Utc>) -> Self {
        let url = format!("{}/account/links/{}", issuer.trim_end_matches('/'), link.expose());
        Self { url, expires_at }
    }
}
