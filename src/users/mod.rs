//! Users in the words of the Janssen API.

pub use crate::model::{MAX_USER_DETAIL_CHARS, MAX_USER_ID_CHARS, User, UserDetails, UserId};
pub use crate::sessions::{DeletedUser, UserExport};
