//! Checks on text from outside.

use std::net::{IpAddr, SocketAddr};

use super::field_error::FieldError;

/// `value` if it has 1 to `most` characters and no control character; `field` names it in the error.
pub fn required(field: &'static str, value: String, most: usize) -> Result<String, FieldError> {
    if value.is_empty() {
        return Err(FieldError::new(field, "must not be empty"));
    }
    if value.chars().count() > most {
        return Err(FieldError::new(field, format!("must have at most {most} characters")));
    }
    if value.chars().any(char::is_control) {
        return Err(FieldError::new(field, "must not contain control characters"));
    }
    Ok(value)
}

/// Cleans a description for people, which never makes a sign-in fail. Control characters become spaces, spaces at both
/// ends are removed, and text beyond `most` characters is cut off; `None` when nothing remains.
pub fn cleaned(value: Option<String>, most: usize) -> Option<String> {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let cleaned: String = value?.trim().chars().take(most).map(plain).collect();
    let cleaned = cleaned.trim();
    (!cleaned.is_empty()).then(|| cleaned.to_owned())
}

/// The address in a text from a proxy or a framework, which may add a port, a zone or brackets. `None` when there is
/// none.
pub fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(with_port) = text.parse::<SocketAddr>() {
        return Some(with_port.ip());
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    inner.split('%').next()?.parse().ok()
}

/// Whether a text is a token (RFC 9110 section 5.6.2), such as the name of a header or of a cookie.
pub fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// Same as [`required`], except that absent or empty text is `None`.
pub fn optional(field: &'static str, value: Option<String>, most: usize) -> Result<Option<String>, FieldError> {
    value.filter(|text| !text.is_empty()).map(|text| required(field, text, most)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_describes_is_cleaned_and_never_refused() {
        let clean = |text: &str| cleaned(Some(text.to_owned()), 5);
        assert_eq!(clean(" a\tb\u{0} ").as_deref(), Some("a b"));
        assert_eq!(clean("äöü日本語").as_deref(), Some("äöü日本"));
        assert_eq!(clean("abcd efg").as_deref(), Some("abcd"));
        for text in ["", "  ", "\u{0}\n"] {
            assert_eq!(clean(text), None, "{text:?}");
        }
        assert_eq!(cleaned(None, 5), None);
    }

    #[test]
    fn an_address_is_found_in_what_is_made_of_it() {
        let v4 = Some("203.0.113.7".parse().unwrap());
        for text in ["203.0.113.7", " 203.0.113.7 ", "203.0.113.7:1111"] {
            assert_eq!(address(text), v4, "{text}");
        }
        let v6 = Some("2001:db8::1".parse().unwrap());
        for text in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", "2001:db8::1%eth0"] {
            assert_eq!(address(text), v6, "{text}");
        }
        for text in ["", "unknown", "203.0.113", "203.0.113.7, 203.0.113.8", "[203.0.113.7", "localhost"] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
