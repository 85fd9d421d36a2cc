//! The files of the console: embedded in the binary, below a path that names the release, so that browsers may keep them for ever.
//! Debug builds read them from the checkout at each request, so that a change of a page needs no build.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, LazyLock, OnceLock};

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;

use crate::api::failure::Rejection;
use crate::api::family::Refused;
use crate::api::native::Native;
use crate::tokens;

/// The path of the files, up to the release.
const FOLDER: &str = "/admin/assets/";
/// The page itself, which is no file below [`FOLDER`].
const PAGE: &str = "index.html";

#[derive(RustEmbed)]
#[folder = "src/console/assets"]
struct Files;

/// A file, and how it is sent to browsers that read gzip.
struct File {
    bytes: Bytes,
    compressed: OnceLock<Bytes>,
}

/// All files of one release.
pub(super) struct Release {
    /// A hash over all files, in hexadecimal.
    pub(super) name: String,
    /// The page, with `{assets}` for the path of its files.
    pub(super) page: String,
    files: BTreeMap<String, File>,
}

impl Release {
    fn read() -> Self {
        let read = |path: &str| Files::get(path).map(|file| Bytes::from(file.data.into_owned())).unwrap_or_default();
        let mut files: BTreeMap<String, Bytes> = Files::iter().map(|path| (path.to_string(), read(&path))).collect();
        let all = files.iter().fold(Vec::new(), |all, (path, bytes)| [&all, path.as_bytes(), b"\0", bytes].concat());
        let hash = tokens::fingerprint(&all).into_iter().take(8).fold(0_u64, |hash, byte| hash << 8 | u64::from(byte));
        let page = files.remove(PAGE).unwrap_or_default();
        Self {
            name: format!("{hash:016x}"),
            page: String::from_utf8_lossy(&page).into_owned(),
            files: files.into_iter().map(|(path, bytes)| (path, File { bytes, compressed: OnceLock::new() })).collect(),
        }
    }

    /// The files of this binary.
    pub(super) fn current() -> Arc<Self> {
        static EMBEDDED: LazyLock<Arc<Release>> = LazyLock::new(|| Arc::new(Release::read()));
        if cfg!(debug_assertions) { Arc::new(Self::read()) } else { Arc::clone(&EMBEDDED) }
    }
}

impl File {
    fn compressed(&self) -> Bytes {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            // Writing to memory does not fail; the bytes as they are would be wrong below this encoding.
            let written = encoder.write_all(&self.bytes).and_then(|()| encoder.finish());
            written.map(Bytes::from).unwrap_or_default()
        };
        self.compressed.get_or_init(compress).clone()
    }
}

/// A file below its release. A page that another release has sent gets what there is now, not to be kept.
pub(super) async fn file(request: Request) -> Result<Response, Refused<Native>> {
    const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
    const NOT_AT_ALL: HeaderValue = HeaderValue::from_static("no-store");
    let path = request.uri().path().strip_prefix(FOLDER).and_then(|rest| rest.split_once('/'));
    let (release, path) = path.ok_or(Rejection::UnknownPath)?;
    let current = Release::current();
    let file = current.files.get(path).ok_or(Rejection::UnknownPath)?;
    let kept = if release == current.name { FOR_EVER } else { NOT_AT_ALL };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(type_of(path))),
        (header::CACHE_CONTROL, kept),
        (header::VARY, HeaderValue::from_static("Accept-Encoding")),
    ];
    if !reads_gzip(request.headers()) {
        return Ok((headers, file.bytes.clone()).into_response());
    }
    Ok((headers, [(header::CONTENT_ENCODING, "gzip")], file.compressed()).into_response())
}

/// Whether a browser accepts gzip (RFC 9110 section 12.5.3). A weight of 0 refuses it.
fn reads_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty());
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

fn type_of(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_accept_it() {
        for (value, expected) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(reads_gzip(&headers), expected, "{value}");
        }
    }

    #[test]
    fn every_file_has_a_type_that_browsers_run() {
        let release = Release::read();
        assert!(release.page.contains("{assets}"));
        for path in release.files.keys() {
            let is_known = [".js", ".css", ".svg"].iter().any(|ending| path.ends_with(ending));
            assert!(is_known || path.starts_with("vendor/LICENSE") || path == "vendor/VERSIONS.md", "{path}");
        }
    }
}
