//! The settings of the account page: what it looks like, and where it may stand.

use std::fmt;
use std::fs;
use std::path::Path;

use axum::http::HeaderValue;

use super::settings;
use super::source::{SettingError, Source};
use super::theme::Accent;

/// The largest logo, in bytes: the page shall be there at once.
const MAX_LOGO_BYTES: u64 = 64 * 1024;

/// A logo.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    /// The media type.
    pub media_type: &'static str,
    /// The picture.
    pub bytes: Vec<u8>,
}

impl Logo {
    /// Reads a picture. Its content decides its type, whatever the file is called.
    fn read(path: &Path) -> Result<Self, String> {
        let unreadable = |error| format!("cannot read {}: {error}", path.display());
        let size = fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_LOGO_BYTES {
            return Err(format!("{} has {size} bytes; a logo has at most {MAX_LOGO_BYTES}", path.display()));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let media_type = media_type(&bytes).ok_or_else(|| format!("{} is no SVG, PNG or WebP", path.display()))?;
        Ok(Self { media_type, bytes })
    }
}

impl fmt::Debug for Logo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Logo({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    let is_svg = || {
        let text = str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim_start();
        ((text.starts_with("<svg") || text.starts_with("<?xml") || text.starts_with("<!--")) && text.contains("<svg"))
            .then_some("image/svg+xml")
    };
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => is_svg(),
    }
}

/// The settings of the account page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountConfig {
    /// The name of the application that people know; `None`: the page names none.
    pub name: Option<String>,
    /// The colour of links and of what matters.
    pub accent: Accent,
    /// The logo.
    pub logo: Option<Logo>,
    /// The address that people come from and go back to.
    pub way_back: String,
    /// The origins that may show the page in a frame.
    pub frame_ancestors: Vec<HeaderValue>,
}

impl Default for AccountConfig {
    fn default() -> Self {
        let way_back = settings::ACCOUNT_RETURN.default.to_owned();
        Self { name: None, accent: Accent::default(), logo: None, way_back, frame_ancestors: Vec::new() }
    }
}

impl AccountConfig {
    /// Reads and checks the settings, and reads the logo.
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let logo = source.find(&settings::ACCOUNT_LOGO)?;
        let logo = logo.map(|path| Logo::read(&path)).transpose();
        Ok(Self {
            name: source.find(&settings::ACCOUNT_NAME)?,
            accent: source.find(&settings::ACCOUNT_COLOUR)?.unwrap_or_default(),
            logo: logo.map_err(|problem| SettingError::new(settings::ACCOUNT_LOGO.name, problem))?,
            way_back: source.get(&settings::ACCOUNT_RETURN)?,
            frame_ancestors: source.find(&settings::ACCOUNT_FRAME_ANCESTORS)?.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_s_content_decides_its_type() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n..."[..], Some("image/png")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", Some("image/svg+xml")),
            (b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<svg/>", Some("image/svg+xml")),
            (b"<?xml version=\"1.0\"?><html/>", None),
            (b"<html><svg/></html>", None),
            (b"GIF89a", None),
            (b"", None),
        ] {
            assert_eq!(media_type(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
