//! Finding users by name, email address and ban, and sessions by the details of their users.

use super::error::Error;
use super::facade::Sessions;
use super::query::check_limit;
use crate::model::{Caller, Criteria, FieldError, Filter, NameMatch, Scope, User, UserId, UserSearch};

/// The most users that a name or an email address may find in a search for sessions or a bulk ending.
pub const MAX_FOUND_USERS: u32 = 100;

/// The conditions on users, all of which must be met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserQuery {
    /// The beginning of the id, the name or the address.
    pub text: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// Whether the user is banned.
    pub banned: Option<bool>,
}

/// One page of users.
#[derive(Debug, Clone)]
pub struct UserPage {
    /// The users, in the order of their ids.
    pub users: Vec<User>,
    /// The cursor of the next page; `None` on the last.
    pub next_cursor: Option<String>,
}

impl Sessions {
    /// One page of users, for a caller with `sessions:read`. Refused: [`Error::Invalid`], also for a cursor of another
    /// search, and [`Error::SearchTooBroad`].
    pub async fn find_users(
        &self,
        caller: &Caller,
        query: &UserQuery,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<UserPage, Error> {
        caller.require(Scope::READ)?;
        check_limit(limit)?;
        let keys = &self.parts.keyring;
        let asked = format!("{query:?}");
        let after = cursor.map(|text| {
            let id =
                keys.open_cursor(text, &asked).and_then(|bytes| UserId::parse(String::from_utf8(bytes).ok()?).ok());
            id.ok_or_else(|| FieldError::new("cursor", "does not belong to this search"))
        });
        let after = after.transpose()?;
        let UserQuery { text, email, banned } = query;
        let search = UserSearch {
            text: text.as_deref(),
            id: None,
            name: None,
            email: email.as_deref(),
            banned: *banned,
            after: after.as_ref(),
            // One more than asked for tells whether there is a next page.
            limit: limit + 1,
            may_lag: true,
        };
        let mut users = self.store().search_users(search).await?;
        let page = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = users.len() > page;
        users.truncate(page);
        let last = users.last().filter(|_| more);
        let next_cursor = last.map(|last| keys.seal_cursor(last.id.as_str().as_bytes(), &asked));
        Ok(UserPage { users, next_cursor })
    }

    /// The filter of the criteria, with the users that the name and the address find now; `None` when they find none.
    /// Refused: [`Error::Invalid`] when they find more than [`MAX_FOUND_USERS`].
    pub(super) async fn of_found_users(
        &self,
        criteria: &Criteria,
        name: Option<NameMatch<'_>>,
        may_lag: bool,
    ) -> Result<Option<Filter>, Error> {
        let Criteria { filter, user_name: _, email } = criteria;
        if name.is_none() && email.is_none() {
            return Ok(Some(filter.clone()));
        }
        let search = UserSearch {
            text: None,
            id: filter.user_id.as_ref(),
            name,
            email: email.as_deref(),
            banned: None,
            after: None,
            limit: MAX_FOUND_USERS + 1,
            may_lag,
        };
        let found = self.store().search_users(search).await?;
        let mut users: Vec<UserId> = found.into_iter().map(|user| user.id).collect();
        if users.len() > MAX_FOUND_USERS as usize {
            let field = if name.is_some() { "user_name" } else { "email" };
            let message =
                format!("must not be that of more than {MAX_FOUND_USERS} users: add user_id, or a longer name");
            return Err(FieldError::new(field, message).into());
        }
        let filter = filter.clone();
        Ok(match users.pop() {
            None => None,
            // A single user's sessions are found by the index entries of that user.
            Some(only) if users.is_empty() => Some(Filter { user_id: Some(only), ..filter }),
            Some(last) => {
                users.push(last);
                Some(Filter { users: Some(users), ..filter })
            }
        })
    }
}
