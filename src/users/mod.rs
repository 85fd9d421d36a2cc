//! Users in the words of the Janssen API.

mod dn;

pub use crate::model::{MAX_USER_DETAIL_CHARS, MAX_USER_ID_CHARS, User, UserDetails, UserId};
pub use crate::sessions::{DeletedUser, UserExport};
pub use dn::DnTemplate;
