//! Refusals, in the shape OpenAI clients expect.

use std::time::Duration;

use crate::v1;

/// A refused request.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApiError {
    /// The request body is not what the API describes; fix the named parameter.
    #[error("{message}")]
    InvalidRequest {
        /// What is wrong, for people.
        message: String,
        /// The offending parameter, where one can be named.
        param: Option<String>,
    },
    /// The model is not offered; `GET /v1/models` lists those that are.
    #[error("the model does not exist: `{model}`")]
    UnknownModel {
        /// The name that was asked for.
        model: String,
    },
    /// The key is missing or wrong.
    #[error("incorrect API key provided")]
    Unauthorized,
    /// The configured number of requests has been served; try again later.
    #[error("rate limit reached")]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The path or method is not part of the API.
    #[error("invalid URL: `{method} {path}`")]
    UnknownRoute {
        /// The HTTP method.
        method: String,
        /// The path.
        path: String,
    },
    /// The body is larger than the endpoint reads.
    #[error("the request body is too large")]
    TooLarge,
}

impl ApiError {
    /// Returns the refusal of one parameter.
    pub(crate) fn parameter(param: &str, message: impl Into<String>) -> Self {
        Self::InvalidRequest { message: message.into(), param: Some(param.to_owned()) }
    }

    /// Returns the HTTP status code.
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidRequest { .. } => 400,
            Self::Unauthorized => 401,
            Self::UnknownModel { .. } | Self::UnknownRoute { .. } => 404,
            Self::TooLarge => 413,
            Self::RateLimited { .. } => 429,
        }
    }

    /// Returns the JSON body.
    pub fn body(&self) -> v1::ErrorBody {
        let (kind, param, code) = match self {
            Self::InvalidRequest { param, .. } => ("invalid_request_error", param.clone(), None),
            Self::UnknownModel { .. } => ("invalid_request_error", Some("model".to_owned()), Some("model_not_found")),
            Self::Unauthorized => ("invalid_request_error", None, Some("invalid_api_key")),
            Self::RateLimited { .. } => ("requests", None, Some("rate_limit_exceeded")),
            Self::UnknownRoute { .. } => ("invalid_request_error", None, Some("unknown_url")),
            Self::TooLarge => ("invalid_request_error", None, Some("request_too_large")),
        };
        v1::ErrorBody { error: v1::ErrorDetail { message: self.to_string(), kind, param, code } }
    }
}
