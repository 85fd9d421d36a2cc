//! The identity of a valid token as headers, for gateways to pass on.

use axum::http::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::{Session, User};

/// The most bytes in the values once the user's name and email address are among them: applications often accept 8 KiB
/// for the whole head of a request, with the client's own headers.
const MAX_IDENTITY_BYTES: usize = 3 * 1024;

/// Everything except the unreserved characters of RFC 3986, so that the percent-decoders of all languages agree.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The headers, with UTF-8 values. Each is always there, empty or not, because a gateway overwrites the client's header
/// only with one of the answer.
pub(in crate::api::native) fn identity(session: &Session, user: &User) -> [(HeaderName, String); 10] {
    let (user_id, session_id, scope) = (session.user_id.to_string(), session.id.to_string(), session.scope.to_string());
    let (client, acr) = (unchanged(session.client_id.as_deref()), unchanged(session.acr.as_deref()));
    let (amr, auth_time) = (words(&session.amr), session.authenticated_at.timestamp().to_string());
    let decisive = [&user_id, &session_id, &scope, &client, &acr, &amr, &auth_time];
    let room = MAX_IDENTITY_BYTES.saturating_sub(decisive.map(String::len).iter().sum());
    let name = user.name.clone().unwrap_or_default();
    let encoded = utf8_percent_encode(&name, RESERVED).to_string();
    let [name, email, encoded] = fitting([name, user.email.clone().unwrap_or_default(), encoded], room);
    [
        (const { HeaderName::from_static("x-user-id") }, user_id),
        (const { HeaderName::from_static("x-session-id") }, session_id),
        (const { HeaderName::from_static("x-session-scope") }, scope),
        (const { HeaderName::from_static("x-session-client") }, client),
        (const { HeaderName::from_static("x-session-acr") }, acr),
        (const { HeaderName::from_static("x-session-amr") }, amr),
        (const { HeaderName::from_static("x-session-auth-time") }, auth_time),
        (const { HeaderName::from_static("x-user-name") }, name),
        (const { HeaderName::from_static("x-user-name-encoded") }, encoded),
        (const { HeaderName::from_static("x-user-email") }, email),
    ]
}

/// A text without outer space, else an empty one: readers remove outer space from a header (RFC 9110 section 5.5), and
/// the rest would be the name of another client or class.
fn unchanged(text: Option<&str>) -> String {
    text.filter(|text| text.trim() == *text).unwrap_or_default().to_owned()
}

/// Words separated by spaces. A space within a word is percent-encoded.
fn words(words: &[String]) -> String {
    let encoded = words.iter().map(|word| word.replace('%', "%25").replace(' ', "%20"));
    encoded.collect::<Vec<_>>().join(" ")
}

/// The texts that fit into `room` bytes together; each that does not fit is replaced by an empty one.
fn fitting<const N: usize>(texts: [String; N], mut room: usize) -> [String; N] {
    texts.map(|text| {
        let text = if text.len() <= room { text } else { String::new() };
        room -= text.len();
        text
    })
}
