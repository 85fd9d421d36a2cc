//! The native API's wire types.

mod answers;
mod conditions;
mod device;
mod live;
mod requests;
mod requirements;
mod statistics;
mod users;

pub use answers::*;
pub use device::{Device, DeviceKind};
pub use live::*;
pub use requests::*;
pub(super) use requirements::requirements;
pub use statistics::*;
pub use users::*;
