//! The account page, `/account/sessions`: where a user is signed in, for the user.
//!
//! An application links to it instead of a page of its own. It is HTML with plain forms, and works without any script; a
//! small script takes sessions off the list that are ended elsewhere. The page is for the session in the cookie, or for the
//! visit of a browser in which a one-time link was opened. It shows and does what the core lets users do with their own
//! sessions, and decides nothing.

mod access;
mod assets;
mod context;
mod family;
mod forms;
mod links;
mod live;
mod page;
mod render;
mod routes;
mod visit_cookie;
mod words;

pub use routes::routes;
