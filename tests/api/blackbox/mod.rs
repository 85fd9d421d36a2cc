//! `/api/v0/sessions*`.

mod cleanup;
mod extend;
mod read;
mod refusals;
mod revoke;
