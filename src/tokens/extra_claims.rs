//! Claims that an opener adds to access tokens: which names an application may allow, and how their values are read.

use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::model::{ApplicationSettings, ExtraClaims, Session};

/// The most bytes of a session's extra claims as compact JSON.
pub const MAX_EXTRA_CLAIMS_BYTES: usize = 2048;
/// The deepest nesting: the object itself counts.
const MAX_DEPTH: usize = 8;
const MAX_NAME_BYTES: usize = 64;
/// The longest name that is a URI.
const MAX_URI_BYTES: usize = 255;

/// Names that no application may allow, each with the reason. Roles, groups and entitlements (RFC 9068 section 2.2.3.1) are
/// an application's own matter, and so are the other details of a person in OpenID Connect: they may be added.
const RESERVED: [(&[&str], &str); 7] = [
    (
        &["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "scope", "client_id", "refresh_count"],
        "the server sets it in each token",
    ),
    (&["auth_time", "acr", "amr", "azp", "nonce", "at_hash", "c_hash", "s_hash"], "it tells how the user signed in"),
    (&["act", "may_act", "cnf"], "it tells who may use the token"),
    (&["events", "toe", "txn", "sub_id", "authorization_details", "vc", "vp"], "it turns the token into another kind"),
    (&["typ", "alg", "kid", "crit", "cty", "enc", "zip", "b64", "jku", "jwk", "x5c", "x5u"], "it is a header's"),
    (&["active", "username", "token_type", "name", "email"], "introspection answers it of the user or the token"),
    (&["__proto__", "constructor", "prototype"], "it is special in JavaScript"),
];

/// The reason why an opener may not add a claim of this name; `None`: it may.
///
/// The case of letters does not count: some JSON libraries, Go's among them, take `Sub` for `sub`.
pub fn check_claim_name(name: &str) -> Option<String> {
    let is_uri = name.split_once(':').is_some_and(|(scheme, rest)| {
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(is_scheme)
            && !rest.is_empty()
    });
    let longest = if is_uri { MAX_URI_BYTES } else { MAX_NAME_BYTES };
    let is_visible = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if name.is_empty() || name.len() > longest || !name.bytes().all(is_visible) || name.contains(':') && !is_uri {
        return Some(format!(
            "must be visible ASCII characters without quotation marks and backslashes, at most {MAX_NAME_BYTES}, or a URI"
        ));
    }
    let is_reserved = |names: &&[&str]| names.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
    let (_, reason) = RESERVED.iter().find(|(names, _)| is_reserved(names))?;
    Some(format!("must not be {name}: {reason}"))
}

/// The claims that an opener wants to add, read from JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadClaims {
    /// The names.
    pub names: Vec<String>,
    /// The claims; `None`: there are none.
    pub claims: Option<ExtraClaims>,
}

impl ReadClaims {
    /// Reads the text of a JSON object. Refused, with the reason: another text, a name that occurs twice in an object,
    /// nesting that is too deep, a NUL character, and more than [`MAX_EXTRA_CLAIMS_BYTES`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let read =
            Strict { depth: 0 }.deserialize(&mut deserializer).and_then(|read| deserializer.end().map(|()| read));
        let members = match read {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err("must be a JSON object".to_owned()),
            Err(error) => return Err(reason(&error)),
        };
        let names = members.keys().cloned().collect();
        if members.is_empty() {
            return Ok(Self { names, claims: None });
        }
        let text = Value::Object(members).to_string();
        if text.len() > MAX_EXTRA_CLAIMS_BYTES {
            return Err(format!("must have at most {MAX_EXTRA_CLAIMS_BYTES} bytes as compact JSON"));
        }
        Ok(Self { names, claims: Some(ExtraClaims::from_json(text)) })
    }
}

/// The message of an error without the place, which is one in a text that the client did not send so.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.clone(), |(reason, _)| reason.to_owned())
}

/// Extra claims as members of a JSON object.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ClaimMembers(Map<String, Value>);

impl ClaimMembers {
    /// A session's extra claims, as far as its application allows them at present.
    pub fn of(session: &Session, application: Option<&ApplicationSettings>) -> Self {
        let (Some(claims), Some(application)) = (&session.claims, application) else { return Self::default() };
        let is_allowed = |name: &String| application.claims.contains(name) && check_claim_name(name).is_none();
        let mut all = Self::all(claims).0;
        all.retain(|name, _| is_allowed(name));
        Self(all)
    }

    /// All of a session's extra claims. They were checked on the way in, so what cannot be read was not stored by us.
    pub fn all(claims: &ExtraClaims) -> Self {
        Self(serde_json::from_str(claims.as_json()).unwrap_or_default())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads a JSON value and refuses what readers of a token understand in different ways.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            Err(E::custom(format!("must be nested {MAX_DEPTH} deep at most")))
        } else {
            Ok(Self { depth })
        }
    }
}

fn without_nul<E: serde::de::Error>(text: String) -> Result<String, E> {
    if text.contains('\0') { Err(E::custom("must not contain NUL characters")) } else { Ok(text) }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("must have no numbers without end"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        without_nul(value.to_owned()).map(Value::String)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let (deeper, mut values) = (self.deeper()?, Vec::new());
        while let Some(value) = sequence.next_element_seed(deeper)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (deeper, mut members) = (self.deeper()?, Map::new());
        while let Some(name) = map.next_key::<String>()? {
            let name = without_nul(name)?;
            if members.contains_key(&name) {
                return Err(A::Error::custom("must not have a name twice in an object"));
            }
            let value = map.next_value_seed(deeper)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_name_is_refused_however_it_is_written() {
        for name in
            ["sub", "Sub", "SUB", "aUd", "exp", "Scope", "client_id", "cnf", "act", "typ", "__proto__", "active"]
        {
            assert!(check_claim_name(name).is_some_and(|reason| reason.contains("must not be")), "{name}");
        }
        for name in
            ["", " sub", "sub ", "s\u{fc}b", "\u{17f}ub", "a\"b", "a\\b", "a\u{7f}", "1:2", ":x", "a:", &"x".repeat(65)]
        {
            assert!(check_claim_name(name).is_some(), "{name:?}");
        }
        let uri = format!("https://example.org/{}", "x".repeat(200));
        for name in
            ["roles", "groups", "entitlements", "tenant", "x-y.z", "https://example.org/tenant", "urn:x:y", &uri]
        {
            assert_eq!(check_claim_name(name), None, "{name}");
        }
    }

    #[test]
    fn every_claim_that_a_token_or_introspection_has_is_reserved() {
        for name in
            ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "nbf", "auth_time", "client_id", "scope", "acr", "amr"]
        {
            assert!(check_claim_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_readers_would_understand_differently_is_refused() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let deep = nested(MAX_DEPTH + 1);
        for (text, reason) in [
            ("[]", "a JSON object"),
            ("1", "a JSON object"),
            (r#"{"a":1,"a":2}"#, "twice"),
            (r#"{"a":1,"\u0061":2}"#, "twice"),
            (r#"{"a":[{"b":1,"b":1}]}"#, "twice"),
            (r#"{"a":"\u0000"}"#, "NUL"),
            (r#"{"a":{"\u0000":1}}"#, "NUL"),
            (r#"{"a":1e999}"#, "out of range"),
            (r#"{"a":"\ud800"}"#, ""),
            (r#"{"a":1} {"b":2}"#, ""),
            (&deep, "deep"),
        ] {
            let refused = ReadClaims::parse(text).unwrap_err();
            assert!(refused.contains(reason) && !refused.contains(" at line "), "{text}: {refused}");
        }
        assert!(ReadClaims::parse(&nested(MAX_DEPTH)).is_ok());
    }

    #[test]
    fn claims_are_kept_compact_and_may_have_2_kib_to_the_byte() {
        let read = ReadClaims::parse(" { \"b\" : [ 1, 18446744073709551615, -0.5 ],\n \"a\" : \"\\u00fc\" } ").unwrap();
        assert_eq!(read.names, ["a", "b"]);
        assert_eq!(read.claims.unwrap().as_json(), "{\"a\":\"ü\",\"b\":[1,18446744073709551615,-0.5]}");
        assert_eq!(ReadClaims::parse(" {} ").unwrap().claims, None);
        let with = |length: usize| format!("{{ \"a\": \"{}\" }}", "x".repeat(length));
        let fits = MAX_EXTRA_CLAIMS_BYTES - r#"{"a":""}"#.len();
        assert_eq!(ReadClaims::parse(&with(fits)).unwrap().claims.unwrap().as_json().len(), MAX_EXTRA_CLAIMS_BYTES);
        assert!(ReadClaims::parse(&with(fits + 1)).unwrap_err().contains("2048"));
    }
}
