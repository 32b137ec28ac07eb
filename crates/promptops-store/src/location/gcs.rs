//! `gs://`: Google Cloud Storage.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::StaticCredentialProvider;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};

use super::{BucketUrl, ListingOrder, Location, Settings, retry};
use crate::error::StoreError;

/// Opens a bucket. Credentials are Google's application default credentials, from the first of these that is there:
///
/// 1. `GOOGLE_SERVICE_ACCOUNT` (a path) or `GOOGLE_SERVICE_ACCOUNT_KEY` (the JSON itself);
/// 2. the file that `GOOGLE_APPLICATION_CREDENTIALS` names: a service account or an authorized user;
/// 3. the file that `gcloud auth application-default login` writes, in `CLOUDSDK_CONFIG` or the home folder;
/// 4. the metadata server of the machine.
///
/// `STORAGE_EMULATOR_HOST` names an emulator, as for Google's own libraries: no credentials are sent to it.
pub(super) fn open(url: &BucketUrl<'_>, settings: &Settings) -> Result<Location, StoreError> {
    let mut builder = GoogleCloudStorageBuilder::new().with_retry(retry());
    if let Some(host) = settings.get("storage_emulator_host") {
        let base_url = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        let nobody = GcpCredential { bearer: String::new() };
        builder = builder
            .with_base_url(base_url.trim_end_matches('/'))
            .with_credentials(Arc::new(StaticCredentialProvider::new(nobody)))
            .with_skip_signature(true);
    } else if let Some(file) = well_known_file(settings) {
        builder = builder.with_application_credentials(file);
    }
    for (key, value) in settings.known::<GoogleConfigKey>("google_") {
        builder = builder.with_config(key, value);
    }
    let backend = builder
        .with_bucket_name(url.bucket)
        .build()
        .map_err(|error| url.refuse(&format!("the settings for Google Cloud Storage are incomplete or wrong ({error})")))?;
    Ok(Location { backend: Arc::new(backend), local: None, prefix: url.prefix.clone(), listing: ListingOrder::Sorted })
}

/// The file of `gcloud auth application-default login`, when it exists.
fn well_known_file(settings: &Settings) -> Option<String> {
    let folder = match settings.get("cloudsdk_config") {
        Some(folder) => PathBuf::from(folder),
        None if cfg!(windows) => PathBuf::from(settings.get("appdata")?).join("gcloud"),
        None => settings.home()?.join(".config/gcloud"),
    };
    let file = folder.join("application_default_credentials.json");
    file.is_file().then(|| file.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::error::StoreError;
    use crate::location::StoreOptions;
    use crate::store::Store;

    fn open(settings: &[(&str, &str)]) -> Result<Store, StoreError> {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Store::open("gs://bucket/prefix", &StoreOptions { settings, ..StoreOptions::default() })
    }

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A file of the wrong form is refused by name, so a refusal shows which file was read.
    #[test]
    fn the_files_of_the_chain_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        let in_home = dir.path().join(".config/gcloud/application_default_credentials.json");
        write(&in_home, r#"{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}"#);
        open(&[("HOME", home)]).unwrap();
        write(&in_home, r#"{"type": "external_account"}"#);
        let refused = open(&[("HOME", home)]).unwrap_err();
        assert!(matches!(refused, StoreError::InvalidSettings { .. }), "{refused:?}");
        assert!(refused.to_string().contains("external_account"), "{refused}");

        let other = dir.path().join("sdk/application_default_credentials.json");
        write(&other, r#"{"type": "of the other folder"}"#);
        let folder = other.parent().unwrap().to_str().unwrap();
        let refused = open(&[("HOME", home), ("CLOUDSDK_CONFIG", folder)]).unwrap_err().to_string();
        assert!(refused.contains("of the other folder"), "{refused}");

        let absent = dir.path().join("absent.json");
        let refused = open(&[("HOME", home), ("GOOGLE_APPLICATION_CREDENTIALS", absent.to_str().unwrap())]).unwrap_err();
        assert!(refused.to_string().contains("absent.json"), "{refused}");
    }

    #[test]
    fn an_emulator_needs_no_credentials() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join(".config/gcloud/application_default_credentials.json"), "not even JSON");
        open(&[("STORAGE_EMULATOR_HOST", "127.0.0.1:9"), ("HOME", dir.path().to_str().unwrap())]).unwrap();
    }
}
