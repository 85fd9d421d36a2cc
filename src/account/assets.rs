//! The files that the page loads. Their address holds a hash of them all, so that browsers keep them for good.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::RawPathParams;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::family::Account;
use crate::api::{Refused, Rejection};
use crate::config::{Accent, AccountConfig};
use crate::tokens::fingerprint;

/// The characters of the hash: enough to tell versions apart.
const HASH_CHARS: usize = 16;
/// A logo of SVG that somebody opens by itself runs nothing.
const LOGO_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// The files, by name, with their media types.
pub(super) struct Assets {
    /// The hash of them all.
    pub(super) hash: String,
    files: Vec<(&'static str, &'static str, Bytes)>,
}

impl Assets {
    /// The files for these settings.
    pub(super) fn new(config: &AccountConfig) -> Self {
        let mut files = vec![
            ("account.css", "text/css; charset=utf-8", Bytes::from_static(include_bytes!("assets/account.css"))),
            ("account.js", "text/javascript; charset=utf-8", Bytes::from_static(include_bytes!("assets/account.js"))),
            ("icon.svg", "image/svg+xml", Bytes::from_static(include_bytes!("assets/icon.svg"))),
            ("theme.css", "text/css; charset=utf-8", theme(config.accent).into()),
        ];
        if let Some(logo) = &config.logo {
            files.push(("logo", logo.media_type, logo.bytes.clone().into()));
        }
        let all: Vec<u8> = files.iter().flat_map(|(_, _, bytes)| bytes.iter().copied()).collect();
        let hash: String = URL_SAFE_NO_PAD.encode(fingerprint(&all)).chars().take(HASH_CHARS).collect();
        Self { hash, files }
    }
}

fn theme(accent: Accent) -> String {
    let Accent { light, dark } = accent;
    let (on_light, on_dark) = (light.text_on_it(), dark.text_on_it());
    format!(":root {{ --accent: light-dark({light}, {dark}); --on-accent: light-dark({on_light}, {on_dark}); }}\n")
}

/// A file, where the path has the present hash and its name.
pub(super) fn file(assets: &Arc<Assets>, path: &RawPathParams) -> Result<Response, Refused<Account>> {
    let parameter = |name| path.iter().find(|(known, _)| *known == name).map(|(_, text)| text);
    let known = parameter("hash").is_some_and(|hash| hash == assets.hash);
    let named = parameter("file").and_then(|file| assets.files.iter().find(|(name, ..)| *name == file));
    let (name, media_type, bytes) = named.filter(|_| known).ok_or(Rejection::UnknownPath)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    let mut response = (headers, bytes.clone()).into_response();
    if *name == "logo" {
        let policy = HeaderValue::from_static(LOGO_POLICY);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}
