//! The native API's words.

mod answers;
mod live;
mod requests;
mod statistics;

pub use answers::*;
pub use live::*;
pub use requests::*;
pub use statistics::*;
