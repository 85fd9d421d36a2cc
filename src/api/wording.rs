//! Parser errors as sentences for people, which name the wrong member without the parser's internals.

use std::error::Error;

use serde::de::value::Error as FormError;
use serde_path_to_error::Error as AtPath;

/// The message for a query or a form that axum could not read. Nothing of the input is in it.
pub(super) fn of_form(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<AtPath<FormError>>() {
            return misfit(&error.path().to_string(), &error.inner().to_string());
        }
        cause = error.source();
    }
    "it has a value that does not fit".to_owned()
}

/// The message for a JSON body that is not a `T`. No value of the input is in it.
pub(super) fn of_json<T: serde::de::DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> String {
    if !error.is_data() {
        return format!("The body is not valid JSON (line {}, column {})", error.line(), error.column());
    }
    // The second reading, only after an error, tracks the path: to track it always would cost time.
    let found = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(bytes)).err();
    let path = found.map(|error| error.path().to_string()).unwrap_or_default();
    format!("The body does not fit: {}", misfit(&path, &error.to_string()))
}

/// The problem in a few words. The kind of error is recognised by the beginning of serde's message; for any other kind
/// only the place is named.
fn misfit(path: &str, message: &str) -> String {
    let path = path.trim_matches(['.', '?']);
    let kinds = [
        ("missing field", "is missing"),
        ("unknown field", "is not known"),
        ("duplicate field", "is there twice"),
        ("unknown variant", "is none of the words it can be"),
        ("invalid type: null", "must not be null"),
    ];
    let (kind, problem) =
        kinds.into_iter().find(|(kind, _)| message.starts_with(kind)).unwrap_or(("", "has a value that does not fit"));
    // The path ends at the object in which the member is missing or duplicated.
    let member = match kind {
        "missing field" | "duplicate field" => message.split('`').nth(1),
        _ => None,
    };
    match (path, member) {
        ("", None) if kind == "unknown field" => "it has a member that is not known".to_owned(),
        ("", None) => format!("it {problem}"),
        ("", Some(member)) => format!("{member} {problem}"),
        (path, Some(member)) if path.rsplit('.').next() != Some(member) => format!("{path}.{member} {problem}"),
        (path, _) => format!("{path} {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading it counts")]
    struct Outer {
        name: String,
        count: Option<u8>,
        inner: Option<Inner>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading it counts")]
    struct Inner {
        at: chrono::DateTime<chrono::Utc>,
        id: Option<uuid::Uuid>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
    }

    #[test]
    fn a_body_that_does_not_fit_is_told_by_its_member() {
        for (body, expected) in [
            ("{}", "The body does not fit: name is missing"),
            (r#"{"name":"a","name":"b"}"#, "The body does not fit: name is there twice"),
            (r#"{"name":null}"#, "The body does not fit: name must not be null"),
            (r#"{"name":1}"#, "The body does not fit: name has a value that does not fit"),
            (r#"{"name":"a","count":256}"#, "The body does not fit: count has a value that does not fit"),
            (r#"{"name":"a","kind":"fancy"}"#, "The body does not fit: kind is none of the words it can be"),
            (r#"{"name":"a","other":1}"#, "The body does not fit: other is not known"),
            (r#"{"name":"a","inner":{}}"#, "The body does not fit: inner.at is missing"),
            (r#"{"name":"a","inner":{"at":"soon"}}"#, "The body does not fit: inner.at has a value that does not fit"),
            (
                r#"{"name":"a","inner":{"at":"2026-01-01T00:00:00Z","id":"x"}}"#,
                "The body does not fit: inner.id has a value that does not fit",
            ),
            (
                r#"{"name":"a","inner":{"at":"2026-01-01T00:00:00Z","x":1}}"#,
                "The body does not fit: inner.x is not known",
            ),
            ("7", "The body does not fit: it has a value that does not fit"),
            ("{", "The body is not valid JSON (line 1, column 1)"),
            ("{\n\"name\":}", "The body is not valid JSON (line 2, column 8)"),
        ] {
            let error = serde_json::from_str::<Outer>(body).unwrap_err();
            assert_eq!(of_json::<Outer>(body.as_bytes(), &error), expected, "{body}");
        }
    }
}
