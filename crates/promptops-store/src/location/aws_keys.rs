//! The keys of AWS, by the same chain as for S3, for its other services.

use std::fmt;

use object_store::aws::AwsCredentialProvider;

use super::{Settings, StoreOptions, s3};
use crate::error::StoreError;

/// Where keys of AWS come from: the first link of the chain that `docs/reference/stores.md` describes for S3.
#[derive(Debug)]
pub struct AwsKeySource {
    provider: AwsCredentialProvider,
    region: Option<String>,
}

/// Keys of AWS.
#[derive(Clone)]
pub struct AwsKeys {
    /// The name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// What goes with keys that end.
    pub session_token: Option<String>,
}

/// Names the key, and keeps it.
impl fmt::Debug for AwsKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AwsKeys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl AwsKeySource {
    /// Finds the link of the chain that has keys. Makes no call.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidSettings`].
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let (provider, region) = s3::key_source(&Settings::of(options))?;
        Ok(Self { provider, region })
    }

    /// Returns the region that settings or profile name.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns keys that are valid now; those that are about to end are fetched anew.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub async fn keys(&self) -> Result<AwsKeys, String> {
        let credential = self.provider.get_credential().await.map_err(|error| error.to_string())?;
        Ok(AwsKeys {
            access_key_id: credential.key_id.clone(),
            secret_access_key: credential.secret_key.clone(),
            session_token: credential.token.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(settings: &[(&str, &str)]) -> AwsKeySource {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        AwsKeySource::open(&StoreOptions { settings, ..StoreOptions::default() }).unwrap()
    }

    #[tokio::test]
    async fn keys_and_region_are_those_of_s3() {
        let source = source(&[
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_REGION", "eu-west-1"),
        ]);
        let keys = source.keys().await.unwrap();
        assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.as_str()), ("AKID", "secret"));
        assert_eq!((keys.session_token.as_deref(), source.region()), (Some("token"), Some("eu-west-1")));
        assert!(!format!("{keys:?}").contains("secret"));
    }
}
