//! Quiika, `/auth/sessions*`.

mod errors;
mod list;
mod revoke;
