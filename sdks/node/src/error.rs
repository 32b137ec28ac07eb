//! Failures as JavaScript gets them; `lib/errors.js` makes them errors of its classes.

use napi::bindgen_prelude::Either;
use napi_derive::napi;

/// What is returned in place of a result.
#[napi(object, object_from_js = false)]
pub struct Failure {
    /// The name that every SDK shares, as `not-found`; `value` where a value cannot be converted.
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
}

impl From<promptops::Error> for Failure {
    fn from(error: promptops::Error) -> Self {
        Self { code: error.code().to_owned(), message: error.full_message(), hint: error.hint() }
    }
}

/// What a call returns that may fail: the result, or why there is none.
pub(crate) type Answer<T> = Either<T, Failure>;

pub(crate) fn answer<T>(result: Result<T, impl Into<Failure>>) -> Answer<T> {
    match result {
        Ok(value) => Either::A(value),
        Err(failure) => Either::B(failure.into()),
    }
}
