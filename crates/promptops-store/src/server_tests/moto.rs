//! moto: answers as Amazon S3 does in what it implements, and takes any credentials.

use super::{BUCKET, a_missing_bucket_is_told, conforms, endpoint, one_writer_wins_every_race, s3_options, send, unique_name};
use crate::error::StoreError;
use crate::probe::probe;
use crate::store::Store;

const VARIABLE: &str = "PROMPTOPS_TEST_S3_ENDPOINT";

/// The server's address, with the bucket made.
async fn server(test: &str) -> Option<String> {
    let endpoint = endpoint(VARIABLE, test)?;
    let answer = send(&endpoint, "PUT", &format!("/{BUCKET}"), &[], "").await;
    assert!(answer.starts_with("HTTP/1.1 200") || answer.contains("BucketAlreadyOwnedByYou"), "{answer}");
    Some(endpoint)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn moto_conforms() {
    let Some(endpoint) = server("moto_conforms").await else { return };
    conforms("s3", &s3_options(&endpoint)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_writer_wins_every_race_on_moto() {
    let Some(endpoint) = server("one_writer_wins_every_race_on_moto").await else { return };
    one_writer_wins_every_race("s3", &s3_options(&endpoint)).await;
}

#[tokio::test]
async fn a_missing_bucket_of_moto_is_told() {
    let Some(endpoint) = server("a_missing_bucket_of_moto_is_told").await else { return };
    a_missing_bucket_is_told("s3://promptops-no-such-bucket/p", &s3_options(&endpoint)).await;
}

#[tokio::test]
async fn conditional_writes_switched_off_are_refused() {
    let Some(endpoint) = server("conditional_writes_switched_off_are_refused").await else { return };
    let mut options = s3_options(&endpoint);
    options.settings.insert("AWS_CONDITIONAL_PUT".to_owned(), "disabled".to_owned());
    let store = Store::open(&format!("s3://{BUCKET}/{}", unique_name()), &options).unwrap();
    let error = probe(&store, "off").await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error:?}");
}
