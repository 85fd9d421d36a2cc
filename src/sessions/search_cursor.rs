//! The cursor of a search, and which searches there are.

use chrono::DateTime;

use crate::model::{Criteria, FieldError, Filter, Owner, Position, SessionId, Sort, SortField};
use crate::tokens::Keyring;

/// The cursor of a search's next page: authenticated, and valid for the same search only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor;

impl Cursor {
    /// Writes the cursor for the page after `position` of this search.
    pub fn write(keys: &Keyring, owner: Owner<'_>, criteria: &Criteria, sort: Sort, position: Position) -> String {
        let mut bytes = Vec::with_capacity(24);
        bytes.extend_from_slice(&position.at.timestamp_micros().to_be_bytes());
        bytes.extend_from_slice(position.id.as_uuid().as_bytes());
        keys.seal_cursor(&bytes, &query(owner, criteria, sort))
    }

    /// Reads a cursor. Refuses one that was edited, or that another search handed out.
    pub fn read(
        keys: &Keyring,
        owner: Owner<'_>,
        criteria: &Criteria,
        sort: Sort,
        text: &str,
    ) -> Result<Position, FieldError> {
        keys.open_cursor(text, &query(owner, criteria, sort))
            .and_then(|bytes| {
                let (at, id) = bytes.split_first_chunk::<8>()?;
                let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?;
                let id = SessionId::from_uuid(uuid::Uuid::from_slice(id).ok()?);
                Some(Position { at, id })
            })
            .ok_or_else(|| FieldError::new("cursor", "does not belong to this search"))
    }
}

/// Everything that decides which sessions a search finds and in which order, as text. Two searches with the same
/// text may share cursors; the page size may change between pages.
fn query(owner: Owner<'_>, criteria: &Criteria, sort: Sort) -> String {
    format!("{owner:?} {criteria:?} {sort:?}")
}

/// Refuses a search that no index serves.
pub fn check(filter: &Filter, owner: Owner<'_>, sort: Sort) -> Result<(), FieldError> {
    let of_one_user = filter.user_id.is_some() || matches!(owner, Owner::User(_));
    if sort.field == SortField::LastSeenAt && !of_one_user {
        return Err(FieldError::new("sort", "can be last_seen_at only together with user_id"));
    }
    Ok(())
}
