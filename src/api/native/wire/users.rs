//! The deletion and the export of a user.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::{Session, User};
use crate::sessions::Error;
use crate::{model, sessions};

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
