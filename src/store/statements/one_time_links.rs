//! One-time links.

use crate::model::{LinkPurpose, OneTimeLink, Opener, UserId};
use crate::store::columns::StoredRow;
use crate::store::values::OrUnreadable as _;

pub(in crate::store) const PUT_ONE_TIME_LINK: &str = "
    INSERT INTO one_time_links (hash, purpose, user_id, client_id, made_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";

pub(in crate::store) const TAKE_ONE_TIME_LINK: &str = "
    DELETE FROM one_time_links WHERE hash = $1 AND purpose = $2 AND expires_at > $3
    RETURNING purpose, user_id, client_id, made_by, expires_at";

pub(in crate::store) const FIND_ONE_TIME_LINK: &str = "
    SELECT purpose, user_id, client_id, made_by, expires_at FROM one_time_links
    WHERE hash = $1 AND purpose = $2 AND expires_at > $3";

pub(in crate::store) const DELETE_LINKS_OF_USER: &str = "DELETE FROM one_time_links WHERE user_id = $1";

pub(in crate::store) fn one_time_link(row: &impl StoredRow) -> sqlx::Result<OneTimeLink> {
    let purpose: String = row.named("purpose")?;
    let user: Option<String> = row.named("user_id")?;
    let made_by: String = row.named("made_by")?;
    Ok(OneTimeLink {
        purpose: LinkPurpose::parse(&purpose).or_unreadable("purpose")?,
        user: user.map(|user| UserId::parse(user).or_unreadable("user_id")).transpose()?,
        application: row.named("client_id")?,
        made_by: Opener::parse(&made_by).or_unreadable("made_by")?,
        expires_at: row.time("expires_at")?,
    })
}
