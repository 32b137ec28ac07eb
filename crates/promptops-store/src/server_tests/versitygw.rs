//! versitygw: a real S3 server over a folder, which checks signatures.

use bytes::Bytes;

use super::{BUCKET, a_missing_bucket_is_told, conforms, endpoint, one_writer_wins_every_race, s3_options, unique_name};
use crate::error::StoreError;
use crate::store::Store;

/// The test runner made the bucket: a folder.
const VARIABLE: &str = "PROMPTOPS_TEST_VERSITYGW_ENDPOINT";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn versitygw_conforms() {
    let Some(endpoint) = endpoint(VARIABLE, "versitygw_conforms") else { return };
    conforms("s3", &s3_options(&endpoint)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_writer_wins_every_race_on_versitygw() {
    let Some(endpoint) = endpoint(VARIABLE, "one_writer_wins_every_race_on_versitygw") else { return };
    one_writer_wins_every_race("s3", &s3_options(&endpoint)).await;
}

#[tokio::test]
async fn a_missing_bucket_of_versitygw_is_told() {
    let Some(endpoint) = endpoint(VARIABLE, "a_missing_bucket_of_versitygw_is_told") else { return };
    a_missing_bucket_is_told("s3://promptops-no-such-bucket/p", &s3_options(&endpoint)).await;
}

#[tokio::test]
async fn a_wrong_secret_is_a_matter_of_permission() {
    let Some(endpoint) = endpoint(VARIABLE, "a_wrong_secret_is_a_matter_of_permission") else { return };
    for error in failures_with(&endpoint, "AWS_SECRET_ACCESS_KEY", "wrong").await {
        assert!(matches!(error, StoreError::PermissionDenied { .. }), "{error:?}");
    }
}

/// versitygw answers an access key that it does not know with 404, by which others say that there is no such object.
#[tokio::test]
async fn an_unknown_access_key_reads_nothing_as_absent() {
    let Some(endpoint) = endpoint(VARIABLE, "an_unknown_access_key_reads_nothing_as_absent") else { return };
    for error in failures_with(&endpoint, "AWS_ACCESS_KEY_ID", "nobody").await {
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(source.contains("access key"), "{error:?}");
    }
}

async fn failures_with(endpoint: &str, name: &str, value: &str) -> [StoreError; 3] {
    let mut options = s3_options(endpoint);
    options.settings.insert(name.to_owned(), value.to_owned());
    let store = Store::open(&format!("s3://{BUCKET}/{}", unique_name()), &options).unwrap();
    [
        store.create("a", Bytes::from_static(b"a")).await.unwrap_err(),
        store.get("a").await.unwrap_err(),
        store.list("").await.unwrap_err(),
    ]
}

/// The signature is the real thing here, so this shows that the keys of a profile are the ones that sign.
#[cfg(unix)]
#[tokio::test]
async fn a_profile_signs() {
    let Some(endpoint) = endpoint(VARIABLE, "a_profile_signs") else { return };
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let printed = r#"{"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}"#;
    let config = format!(
        "[profile keys]\nendpoint_url = {endpoint}\nregion = us-east-1\naws_access_key_id = test\naws_secret_access_key = test\n\
         [profile program]\nendpoint_url = {endpoint}\nregion = us-east-1\ncredential_process = echo '{printed}'\n\
         [profile wrong]\nendpoint_url = {endpoint}\nregion = us-east-1\naws_access_key_id = test\naws_secret_access_key = no\n"
    );
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    for (profile, may) in [("keys", true), ("program", true), ("wrong", false)] {
        let options = super::options(&[("HOME", home.path().to_str().unwrap()), ("AWS_PROFILE", profile)]);
        let store = Store::open(&format!("s3://{BUCKET}/{}", unique_name()), &options).unwrap();
        let outcome = store.create("a", Bytes::from_static(b"a")).await;
        assert_eq!(outcome.is_ok(), may, "{profile}: {outcome:?}");
    }
}
