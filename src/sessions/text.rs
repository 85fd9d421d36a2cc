//! Checks on text that comes from outside.

use super::FieldError;

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

/// As [`required`], but absent or empty text is `None`.
pub fn optional(field: &'static str, value: Option<String>, most: usize) -> Result<Option<String>, FieldError> {
    value.filter(|text| !text.is_empty()).map(|text| required(field, text, most)).transpose()
}
