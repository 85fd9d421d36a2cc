//! The context of all pages: the operator's settings, the language, and where the files of the page are.

use std::sync::Arc;

use axum::http::Uri;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;

use super::assets::Assets;
use super::words::{Words, preferred};
use crate::config::AccountConfig;

/// The context in which a page is rendered, for one request.
#[derive(Clone)]
pub(super) struct PageContext {
    /// The words of the reader's language.
    pub(super) words: &'static Words,
    /// The way from the request's address to that of the sessions' folder, which ends with a slash unless it is empty.
    pub(super) up: String,
    /// The address of the files.
    pub(super) assets: String,
    /// The name of the application.
    pub(super) name: Option<String>,
    /// Whether there is a logo.
    pub(super) has_logo: bool,
    /// The address that people come from.
    pub(super) way_back: String,
}

impl PageContext {
    /// The context of a request. Addresses are relative, so that the page works below any path prefix of a proxy.
    pub(super) fn new(config: &AccountConfig, assets: &Arc<Assets>, parts: &Parts) -> Self {
        let language = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let up = way_up(&parts.uri);
        Self {
            words: preferred(language),
            assets: format!("{up}assets/{}", assets.hash),
            up,
            name: config.name.clone(),
            has_logo: config.logo.is_some(),
            way_back: config.way_back.clone(),
        }
    }
}

/// The way from an address to `/account/`.
fn way_up(uri: &Uri) -> String {
    match uri.path().strip_prefix("/account/") {
        Some(below) => "../".repeat(below.matches('/').count()),
        None => "account/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_up_leads_from_every_address_to_the_folder() {
        for (path, way) in [
            ("/account", "account/"),
            ("/account/", ""),
            ("/account/sessions", ""),
            ("/account/sessions/1/end", "../../"),
            ("/account/links/sjl_x", "../"),
            ("/account/links", ""),
        ] {
            assert_eq!(way_up(&path.parse().unwrap()), way, "{path}");
        }
    }
}
