//! The native API's wire types.

mod answers;
mod applications;
mod conditions;
mod device;
mod identity;
mod keys;
mod live;
mod me;
mod place;
mod requests;
mod requirements;
mod statistics;
mod users;

pub use answers::*;
pub use applications::*;
pub use device::{Device, DeviceKind};
pub(super) use identity::identity;
pub use keys::*;
pub use live::*;
pub use me::*;
pub use requests::*;
pub(super) use requirements::requirements;
pub use statistics::*;
pub use users::*;
