//! The pages for people: the account page, and the console unless that has an address of its own.

use std::sync::Arc;

use axum::Router;

use crate::api::App;
use crate::config::ConsoleAddress;
use crate::{account, console};

/// The pages at the main address.
pub fn at_main_address(app: &Arc<App>) -> Router<Arc<App>> {
    match app.http.console {
        ConsoleAddress::Main => account::routes(app).merge(console::router(app)),
        ConsoleAddress::Own(_) | ConsoleAddress::None => account::routes(app),
    }
}

/// The pages at the console's own address.
pub fn at_console_address(app: &Arc<App>) -> Router<Arc<App>> {
    console::router(app)
}
