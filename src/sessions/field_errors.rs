//! Everything wrong with a request, so that a client learns it at once.

use super::error::Error;
use crate::model::FieldError;

/// The errors of a request's fields.
#[derive(Default)]
pub(super) struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// The value of a field; `None` after its error was kept.
    pub(super) fn keep<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        self.keep_all(result.map_err(|error| vec![error]))
    }

    /// The value of several fields; `None` after their errors were kept.
    pub(super) fn keep_all<T>(&mut self, result: Result<T, Vec<FieldError>>) -> Option<T> {
        result.map_err(|errors| self.0.extend(errors)).ok()
    }

    /// Refuses a request with an error.
    pub(super) fn refuse(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into()) }
    }
}

impl From<FieldErrors> for Error {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors.0)
    }
}
