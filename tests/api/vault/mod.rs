//! `/api/v1/users/me/sessions*`.

mod list;
mod refusals;
mod revoke;
