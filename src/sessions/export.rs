//! All that is kept of one user.

use std::sync::Arc;

use super::error::Error;
use super::facade::Sessions;
use crate::model::{Caller, Position, Scope, Session, User, UserId};

/// All that is kept of one user: its own row, and its sessions in whatever state, newest first, a page at a time.
pub struct UserExport {
    /// The user; `None`: deleted, or never heard of but for its sessions.
    pub user: Option<User>,
    core: Arc<Sessions>,
    id: UserId,
    page: Vec<Session>,
}

impl Sessions {
    /// Starts to read all that is kept of a user, for a caller with `sessions:read`. Refused: [`Error::UserNotFound`]
    /// when that is nothing.
    pub async fn export_user(self: &Arc<Self>, caller: &Caller, id: UserId) -> Result<UserExport, Error> {
        caller.require(Scope::READ)?;
        let (user, page) = (self.store().user(&id).await?, self.page_of(&id, None).await?);
        if user.is_none() && page.is_empty() {
            return Err(Error::UserNotFound);
        }
        Ok(UserExport { user, core: Arc::clone(self), id, page })
    }
}

impl UserExport {
    /// The next page of sessions; empty after the last.
    pub async fn next_page(&mut self) -> Result<Vec<Session>, Error> {
        let next = match self.page.last().map(|last| Position { at: last.created_at, id: last.id }) {
            Some(last) => self.core.page_of(&self.id, Some(last)).await?,
            None => Vec::new(),
        };
        Ok(std::mem::replace(&mut self.page, next))
    }
}
