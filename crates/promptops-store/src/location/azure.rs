//! `az://`: containers of Azure Blob Storage.

use std::sync::Arc;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};

use super::{BucketUrl, ListingOrder, Location, Settings, retry};
use crate::error::StoreError;

/// Settings that carry credentials, or say where the platform hands them out.
const CREDENTIALS: [&str; 14] = [
    "azure_storage_account_key",
    "azure_storage_access_key",
    "azure_storage_key",
    "azure_storage_sas_token",
    "azure_storage_sas_key",
    "azure_storage_token",
    "azure_storage_client_secret",
    "azure_client_secret",
    "azure_federated_token_file",
    "azure_storage_use_emulator",
    "azure_skip_signature",
    "azure_use_azure_cli",
    "azure_msi_endpoint",
    "identity_endpoint",
];

/// Opens a container. The account is `AZURE_STORAGE_ACCOUNT` (or `…_ACCOUNT_NAME`). Credentials come from the first of these
/// that is there:
///
/// 1. a bearer token or a key: `AZURE_STORAGE_TOKEN`, `AZURE_STORAGE_KEY`, or that of `AZURE_STORAGE_CONNECTION_STRING`;
/// 2. a workload identity: `AZURE_CLIENT_ID`, `AZURE_TENANT_ID` and `AZURE_FEDERATED_TOKEN_FILE`;
/// 3. a service principal: the same two and `AZURE_CLIENT_SECRET`;
/// 4. a SAS token: `AZURE_STORAGE_SAS_TOKEN`, or that of the connection string;
/// 5. the managed identity of an App Service: `IDENTITY_ENDPOINT`;
/// 6. the Azure command line, when somebody has logged in with it, or `AZURE_USE_AZURE_CLI` is `true`;
/// 7. the managed identity of the machine.
pub(super) fn open(url: &BucketUrl<'_>, settings: &Settings) -> Result<Location, StoreError> {
    let settings = with_connection_string(settings).map_err(|reason| url.refuse(reason))?;
    let mut builder = MicrosoftAzureBuilder::new().with_retry(retry());
    // The names of the Azure command line for what the library calls otherwise.
    for (name, key) in [
        ("azure_storage_account", AzureConfigKey::AccountName),
        ("azure_storage_key", AzureConfigKey::AccessKey),
        ("identity_endpoint", AzureConfigKey::MsiEndpoint),
    ] {
        if let Some(value) = settings.get(name) {
            builder = builder.with_config(key, value);
        }
    }
    if !settings.has(&CREDENTIALS) && has_logged_in(&settings) {
        builder = builder.with_use_azure_cli(true);
    }
    for (key, value) in settings.known::<AzureConfigKey>("azure_") {
        builder = builder.with_config(key, value);
    }
    if !settings.has(&["azure_storage_account", "azure_storage_account_name", "azure_storage_use_emulator"]) {
        return Err(url.refuse("no account is named, set `AZURE_STORAGE_ACCOUNT` or `AZURE_STORAGE_CONNECTION_STRING`"));
    }
    let endpoint = settings.get("azure_storage_endpoint").or_else(|| settings.get("azure_endpoint"));
    // Whoever writes `http://` means it.
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) && !settings.has(&["azure_allow_http"]) {
        builder = builder.with_allow_http(true);
    }
    let backend = builder
        .with_container_name(url.bucket)
        .build()
        .map_err(|error| url.refuse(&format!("the settings for Azure are incomplete or wrong ({error})")))?;
    // The emulator's own address is known to the library, which then knows that it cannot start a listing at a key.
    let emulated = settings.get("azure_storage_use_emulator") == Some("true");
    let listing = if emulated { ListingOrder::None } else { ListingOrder::SortedInFolder };
    Ok(Location { backend: Arc::new(backend), local: None, prefix: url.prefix.clone(), listing })
}

/// Splits a connection string into the settings it stands for; those that are set themselves win.
fn with_connection_string(settings: &Settings) -> Result<Settings, &'static str> {
    let mut whole = settings.0.clone();
    let Some(string) = settings.get("azure_storage_connection_string") else {
        return Ok(Settings(whole));
    };
    let mut parts = std::collections::BTreeMap::new();
    for part in string.split(';').filter(|part| !part.trim().is_empty()) {
        // Only the first `=` divides: keys end with some.
        let (name, value) = part.split_once('=').ok_or("the connection string is not `Name=value` joined by `;`")?;
        parts.insert(name.trim().to_ascii_lowercase(), value.trim());
    }
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            whole.entry(name.to_owned()).or_insert(value);
        }
    };
    let part = |name: &str| parts.get(name).map(|value| (*value).to_owned());
    let endpoint = part("blobendpoint").map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    let by_suffix = || {
        let protocol = part("defaultendpointsprotocol").unwrap_or_else(|| "https".to_owned());
        Some(format!("{protocol}://{}.blob.{}", part("accountname")?, part("endpointsuffix")?))
    };
    set("azure_storage_account_name", part("accountname"));
    set("azure_storage_account_key", part("accountkey"));
    set("azure_storage_sas_token", part("sharedaccesssignature"));
    set("azure_storage_endpoint", endpoint.or_else(by_suffix));
    set("azure_storage_use_emulator", part("usedevelopmentstorage").map(|value| value.to_ascii_lowercase()));
    Ok(Settings(whole))
}

/// Whether somebody has logged in with the Azure command line.
fn has_logged_in(settings: &Settings) -> bool {
    let folder = settings.get("azure_config_dir").map(Into::into).or_else(|| Some(settings.home()?.join(".azure")));
    folder.is_some_and(|folder: std::path::PathBuf| folder.join("azureProfile.json").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::StoreOptions;
    use crate::store::Store;

    fn options(settings: &[(&str, &str)]) -> StoreOptions {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        StoreOptions { settings, ..StoreOptions::default() }
    }

    fn backend(settings: &[(&str, &str)]) -> String {
        let url = "az://container/prefix";
        let location = crate::location::resolve(url, &options(settings)).unwrap();
        format!("{:?}", location.backend)
    }

    #[test]
    fn a_connection_string_stands_for_its_settings() {
        let string =
            "DefaultEndpointsProtocol=https;AccountName=ops;AccountKey=c2VjcmV0PT0=;EndpointSuffix=core.chinacloudapi.cn";
        let settings = Settings::of(&options(&[("AZURE_STORAGE_CONNECTION_STRING", string)]));
        let settings = with_connection_string(&settings).unwrap();
        assert_eq!(settings.get("azure_storage_account_name"), Some("ops"));
        assert_eq!(settings.get("azure_storage_account_key"), Some("c2VjcmV0PT0="));
        assert_eq!(settings.get("azure_storage_endpoint"), Some("https://ops.blob.core.chinacloudapi.cn"));
        let shown = backend(&[("AZURE_STORAGE_CONNECTION_STRING", string)]);
        assert!(shown.contains("ops.blob.core.chinacloudapi.cn"), "{shown}");

        let emulator = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;\
                        BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1/;";
        let own = [("AZURE_STORAGE_CONNECTION_STRING", emulator), ("AZURE_STORAGE_ACCOUNT_KEY", "b3RoZXI=")];
        let settings = with_connection_string(&Settings::of(&options(&own))).unwrap();
        assert_eq!(settings.get("azure_storage_endpoint"), Some("http://127.0.0.1:10000/devstoreaccount1"));
        assert_eq!(settings.get("azure_storage_account_key"), Some("b3RoZXI="), "what is set itself wins");
    }

    #[test]
    fn the_command_line_serves_those_who_logged_in_and_set_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap();
        let mine = [("AZURE_STORAGE_ACCOUNT", "ops"), ("HOME", path), ("USERPROFILE", path)];
        assert!(backend(&mine).contains("ManagedIdentity"), "{}", backend(&mine));
        std::fs::create_dir(home.path().join(".azure")).unwrap();
        std::fs::write(home.path().join(".azure/azureProfile.json"), "{}").unwrap();
        assert!(backend(&mine).contains("AzureCliCredential"), "{}", backend(&mine));
        for (name, value) in [("AZURE_USE_AZURE_CLI", "false"), ("IDENTITY_ENDPOINT", "http://127.0.0.1:9")] {
            let shown = backend(&[&mine[..], &[(name, value)]].concat());
            assert!(shown.contains("ManagedIdentity"), "{name}: {shown}");
        }
    }

    #[test]
    fn settings_that_do_not_fit_are_named() {
        let refused = |settings: &[(&str, &str)]| Store::open("az://container", &options(settings)).unwrap_err().to_string();
        let without_account = refused(&[]);
        assert!(without_account.contains("no account is named"), "{without_account}");
        let wrong = refused(&[("AZURE_STORAGE_CONNECTION_STRING", "no sign")]);
        assert!(wrong.starts_with("the connection string is not"), "{wrong}");
    }
}
