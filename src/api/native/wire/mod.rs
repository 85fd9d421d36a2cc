//! The native API's words.

mod answers;
mod live;
mod requests;

pub use answers::*;
pub use live::*;
pub use requests::*;
