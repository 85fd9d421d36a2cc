//! The native API's wire types.

mod answers;
mod applications;
mod audit;
mod conditions;
mod device;
mod identity;
mod keys;
mod live;
mod me;
mod members;
mod place;
mod requests;
mod requirements;
mod search;
mod settings;
mod statistics;
mod status;
mod timeline;
mod users;

pub use answers::*;
pub use applications::*;
pub use audit::*;
pub use device::{Device, DeviceKind};
pub(super) use identity::identity;
pub use keys::*;
pub use live::*;
pub use me::*;
pub use requests::*;
pub(super) use requirements::requirements;
pub use search::*;
pub use settings::*;
pub use statistics::*;
pub use status::*;
pub use timeline::*;
pub use users::*;
