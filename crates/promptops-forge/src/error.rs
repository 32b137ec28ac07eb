//! What can go wrong between a report and its comment, by what the reader can do.

/// Says why there is no comment.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// The token is missing a permission, as in a pull request from a fork: give it one, or do without a comment.
    #[error("the token may not comment there (status {status}): {message}")]
    Denied {
        /// 401, 403 or 404: a forge hides what a token may not see.
        status: u16,
        /// What the forge says.
        message: String,
    },
    /// The forge refuses the request: a mistake here, worth a report.
    #[error("the request was refused (status {status}): {message}")]
    Refused {
        /// The status.
        status: u16,
        /// What the forge says.
        message: String,
    },
    /// The forge does not answer, or wants no more requests for now: try again later.
    #[error("`{address}` does not answer: {message}")]
    Unavailable {
        /// The address, without a query.
        address: String,
        /// What happened.
        message: String,
    },
    /// What came back is not what the API promises: look at the address.
    #[error("`{address}` answers something else than its API promises: {message}")]
    Malformed {
        /// The address, without a query.
        address: String,
        /// What is wrong with it.
        message: String,
    },
    /// No client can be made on this machine.
    #[error("no HTTPS client can be made")]
    Client(#[source] reqwest::Error),
}

impl ForgeError {
    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "give the token the permission to write to pull requests; a pull request from a fork has none",
            Self::Refused { .. } => "report it, with the message above",
            Self::Unavailable { .. } => "try again later",
            Self::Malformed { .. } => "check the address of the API",
            Self::Client(_) => "check the certificates of this machine",
        }
    }
}
