//! Parser errors as sentences for people, which name the wrong member without the parser's internals.

use std::error::Error;

use serde::de::value::Error as FormError;
use serde_path_to_error::Error as AtPath;

/// The message for a query or a form that axum could not read. Nothing of the input is in it.
pub(super) fn of_form(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<AtPath<FormError>>() {
            return problem_at(&error.path().to_string(), &error.inner().to_string());
        }
        cause = error.source();
    }
    "it has a value that is not allowed".to_owned()
}

/// The message for a JSON body that is not a `T`. No value of the input is in it.
pub(super) fn of_json<T: serde::de::DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> String {
    if !error.is_data() {
        return format!("The body is not valid JSON (line {}, column {})", error.line(), error.column());
    }
    // The second reading, only after an error, tracks the path: to track it always would cost time.
    let found = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(bytes)).err();
    let path = found.map(|error| error.path().to_string()).unwrap_or_default();
    format!("The body is invalid: {}", problem_at(&path, &error.to_string()))
}

/// The problem in a few words. The kind of error is recognised by the beginning of serde's message. For an unknown kind
/// only the member is named.
fn problem_at(path: &str, message: &str) -> String {
    let path = path.trim_matches(['.', '?']);
    let kinds = [
        ("missing field", "is missing"),
        ("unknown field", "is unknown"),
        ("duplicate field", "is duplicated"),
        ("unknown variant", "is not one of the allowed values"),
        ("invalid type: null", "must not be null"),
    ];
    let (kind, problem) = kinds
        .into_iter()
        .find(|(kind, _)| message.starts_with(kind))
        .unwrap_or(("", "has a value that is not allowed"));
    // The path ends at the object in which the member is missing or duplicated.
    let member = match kind {
        "missing field" | "duplicate field" => message.split('`').nth(1),
        _ => None,
    };
    match (path, member) {
        ("", None) if kind == "unknown field" => "it has an unknown member".to_owned(),
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
    fn the_message_about_an_invalid_body_names_the_member() {
        for (body, expected) in [
            ("{}", "The body is invalid: name is missing"),
            (r#"{"name":"a","name":"b"}"#, "The body is invalid: name is duplicated"),
            (r#"{"name":null}"#, "The body is invalid: name must not be null"),
            (r#"{"name":1}"#, "The body is invalid: name has a value that is not allowed"),
            (r#"{"name":"a","count":256}"#, "The body is invalid: count has a value that is not allowed"),
            (r#"{"name":"a","kind":"fancy"}"#, "The body is invalid: kind is not one of the allowed values"),
            (r#"{"name":"a","other":1}"#, "The body is invalid: other is unknown"),
            (r#"{"name":"a","inner":{}}"#, "The body is invalid: inner.at is missing"),
            (r#"{"name":"a","inner":{"at":"soon"}}"#, "The body is invalid: inner.at has a value that is not allowed"),
            (
                r#"{"name":"a","inner":{"at":"2026-01-01T00:00:00Z","id":"x"}}"#,
                "The body is invalid: inner.id has a value that is not allowed",
            ),
            (r#"{"name":"a","inner":{"at":"2026-01-01T00:00:00Z","x":1}}"#, "The body is invalid: inner.x is unknown"),
            ("7", "The body is invalid: it has a value that is not allowed"),
            ("{", "The body is not valid JSON (line 1, column 1)"),
            ("{\n\"name\":}", "The body is not valid JSON (line 2, column 8)"),
        ] {
            let error = serde_json::from_str::<Outer>(body).unwrap_err();
            assert_eq!(of_json::<Outer>(body.as_bytes(), &error), expected, "{body}");
        }
    }
}
