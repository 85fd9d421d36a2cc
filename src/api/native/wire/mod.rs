//! The native API's words.

mod answers;
mod requests;

pub use answers::*;
pub use requests::*;
