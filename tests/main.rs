//! All tests that go through HTTP, the command line or a database: one binary, so that it is linked once.

mod api;
mod commands;
mod layout;
mod openapi;
mod support;
