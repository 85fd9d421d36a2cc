//! All tests that go through HTTP, the command line or a database: one binary, so that it is linked once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails"
)]

mod api;
mod commands;
mod documents;
mod faults;
mod imports;
mod layout;
mod openapi;
mod operations;
mod recipes;
mod store;
mod support;
