//! Requirements as a gateway's configuration writes them into a path.

use percent_encoding::percent_decode_str;

use crate::api::failure::Rejection;
use crate::sessions::Requirements;

/// Reads `name=value;name=value`, percent-encoded. Envoy appends the path of the guarded request, so everything after
/// the next slash is the client's and is ignored. Unreadable requirements are refused, because to ignore one would let
/// requests through.
pub(in crate::api::native) fn requirements(path: &str) -> Result<Requirements, Rejection> {
    let written = path.split('/').next().unwrap_or_default();
    let mut requirements = Requirements::default();
    for part in written.split(';') {
        let (name, value) = part.split_once('=').ok_or_else(|| malformed("must each have a name and a value"))?;
        let value = decoded(value).ok_or_else(|| malformed("must be percent-encoded UTF-8"))?;
        requirements
            .require(name, &value)
            .map_err(|error| malformed(&format!("are invalid: {} {}", error.field, error.message)))?;
    }
    Ok(requirements)
}

fn malformed(problem: &str) -> Rejection {
    Rejection::Malformed(format!("The requirements {problem}"))
}

/// Decodes a value of unreserved characters (RFC 3986 section 2.3), colons and percent-encoded UTF-8. `None` for
/// anything else: an `&` or a comma is more likely a mistake than part of a word.
fn decoded(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:%".contains(&byte);
    let mut parts = text.split('%').skip(1);
    let digits = |part: &str| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.bytes().all(plain) || !parts.all(digits) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
