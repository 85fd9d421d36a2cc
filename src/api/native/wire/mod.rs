//! The native API's words.

mod answers;
mod requests;
mod statistics;

pub use answers::*;
pub use requests::*;
pub use statistics::*;
