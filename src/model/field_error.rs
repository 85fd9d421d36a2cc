//! Fields of a request that are refused.

use std::borrow::Cow;

/// One refused field of a request, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name as the native API spells it.
    pub field: Cow<'static, str>,
    /// The problem, for a person.
    pub message: Cow<'static, str>,
}

impl FieldError {
    /// The refusal of `field`, with `message` as the reason.
    pub fn new(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
