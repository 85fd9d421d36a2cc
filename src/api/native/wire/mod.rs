//! The native API's words.

mod answers;
mod live;
mod requests;
mod statistics;
mod users;

pub use answers::*;
pub use live::*;
pub use requests::*;
pub use statistics::*;
pub use users::*;
