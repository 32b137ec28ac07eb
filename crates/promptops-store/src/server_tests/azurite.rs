//! Azurite: Microsoft's emulator of Azure Storage, which checks signatures.

use bytes::Bytes;
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};

use super::{BUCKET, a_missing_bucket_is_told, conforms, endpoint, one_writer_wins_every_race, options, send, unique_name};
use crate::error::StoreError;
use crate::location::StoreOptions;
use crate::store::Store;

const VARIABLE: &str = "PROMPTOPS_TEST_AZURITE_ENDPOINT";
/// The account and key that Azurite and its predecessors have always had; they are in its documentation.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

fn azure_options(endpoint: &str) -> StoreOptions {
    let connection =
        format!("DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint}/{ACCOUNT};");
    options(&[("AZURE_STORAGE_CONNECTION_STRING", &connection)])
}

/// The server's address, with the container made.
async fn server(test: &str) -> Option<String> {
    let endpoint = endpoint(VARIABLE, test)?;
    let path = format!("/{ACCOUNT}/{BUCKET}?restype=container");
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = "PUT".parse().unwrap();
    *request.uri_mut() = format!("{endpoint}{path}").parse().unwrap();
    let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY).unwrap());
    AzureAuthorizer::new(&credential, ACCOUNT).authorize(&mut request);
    let headers: Vec<(&str, &str)> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let answer = send(&endpoint, "PUT", &path, &headers, "").await;
    assert!(answer.starts_with("HTTP/1.1 201") || answer.contains("ContainerAlreadyExists"), "{answer}");
    Some(endpoint)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn azurite_conforms() {
    let Some(endpoint) = server("azurite_conforms").await else { return };
    conforms("az", &azure_options(&endpoint)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_writer_wins_every_race_on_azurite() {
    let Some(endpoint) = server("one_writer_wins_every_race_on_azurite").await else { return };
    one_writer_wins_every_race("az", &azure_options(&endpoint)).await;
}

#[tokio::test]
async fn a_missing_container_is_told() {
    let Some(endpoint) = server("a_missing_container_is_told").await else { return };
    a_missing_bucket_is_told("az://promptops-no-such-container/p", &azure_options(&endpoint)).await;
}

#[tokio::test]
async fn a_wrong_key_is_a_matter_of_permission() {
    let Some(endpoint) = server("a_wrong_key_is_a_matter_of_permission").await else { return };
    let mut options = azure_options(&endpoint);
    options.settings.insert("AZURE_STORAGE_ACCOUNT_KEY".to_owned(), "d3Jvbmc=".to_owned());
    let store = Store::open(&format!("az://{BUCKET}/{}", unique_name()), &options).unwrap();
    for error in [store.create("a", Bytes::new()).await.unwrap_err(), store.list("").await.unwrap_err()] {
        assert!(matches!(error, StoreError::PermissionDenied { .. }), "{error:?}");
    }
}
