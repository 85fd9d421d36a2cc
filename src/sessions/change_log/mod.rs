//! The change log as this process reads it: changes made by other processes.

pub mod progress;
pub mod reader;
pub mod signals;
