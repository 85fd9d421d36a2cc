//! The native API's wire types.

mod answers;
mod conditions;
mod identity;
mod live;
mod requests;
mod requirements;
mod statistics;
mod users;

pub use answers::*;
pub(super) use identity::identity;
pub use live::*;
pub use requests::*;
pub(super) use requirements::requirements;
pub use statistics::*;
pub use users::*;
