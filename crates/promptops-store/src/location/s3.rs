//! `s3://`: Amazon S3 and the servers that speak its protocol.

mod profile;

use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};

use self::profile::Profile;
use super::{BucketUrl, ListingOrder, Location, Settings, retry};
use crate::error::StoreError;

/// Opens a bucket. Credentials come from the first of these that has any:
///
/// 1. `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`;
/// 2. the profile that `AWS_PROFILE` names;
/// 3. a web identity: `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`;
/// 4. the profile `default`;
/// 5. the container: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`, or `…_FULL_URI` with a token file;
/// 6. the metadata of the machine, unless `AWS_EC2_METADATA_DISABLED` is `true`.
pub(super) fn open(url: &BucketUrl<'_>, settings: &Settings) -> Result<Location, StoreError> {
    let backend = build(url, settings)?.0;
    // Directory buckets (S3 Express) are named so; they list in no order and know no `start-after`.
    let listing = if url.bucket.ends_with("--x-s3") { ListingOrder::None } else { ListingOrder::Sorted };
    Ok(Location { backend: Arc::new(backend), local: None, prefix: url.prefix.clone(), listing })
}

/// Returns where the keys come from that a bucket would be opened with, and the region, for other services of AWS.
pub(super) fn key_source(settings: &Settings) -> Result<(AwsCredentialProvider, Option<String>), StoreError> {
    let url = BucketUrl::read("s3://none", "none")?;
    let (backend, region) = build(&url, settings)?;
    Ok((Arc::clone(backend.credentials()), region))
}

fn build(url: &BucketUrl<'_>, settings: &Settings) -> Result<(AmazonS3, Option<String>), StoreError> {
    let mut builder = AmazonS3Builder::new().with_retry(retry());
    let profile = Profile::read(settings).map_err(|reason| url.refuse(&reason))?;
    if let Some(profile) = &profile {
        builder = with_profile(builder, profile, settings);
    }
    if needs_machine_metadata(settings, profile.as_ref()) && settings.get("aws_ec2_metadata_disabled") == Some("true") {
        return Err(url.refuse("no credentials for S3 are set, and those of the machine are switched off"));
    }
    for (key, value) in settings.known::<AmazonS3ConfigKey>("aws_") {
        builder = builder.with_config(key, value);
    }
    let endpoint = settings.get("aws_endpoint_url_s3").or_else(|| settings.get("aws_endpoint_url"));
    let endpoint = endpoint.or_else(|| settings.get("aws_endpoint")).or_else(|| profile.as_ref()?.get("endpoint_url"));
    // Whoever writes `http://` means it. What is signed goes in the clear then, but no key.
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) && !settings.has(&["aws_allow_http"]) {
        builder = builder.with_allow_http(true);
    }
    let region = builder.get_config_value(&AmazonS3ConfigKey::Region);
    let backend = builder
        .with_bucket_name(url.bucket)
        .build()
        .map_err(|error| url.refuse(&format!("the settings for S3 are incomplete or wrong ({error})")))?;
    Ok((backend, region))
}

/// Takes region, endpoint and, when it is the profile's turn, credentials from a profile; settings win over it.
fn with_profile(mut builder: AmazonS3Builder, profile: &Profile, settings: &Settings) -> AmazonS3Builder {
    for (name, key) in [("region", AmazonS3ConfigKey::Region), ("endpoint_url", AmazonS3ConfigKey::Endpoint)] {
        if let Some(value) = profile.get(name) {
            builder = builder.with_config(key, value);
        }
    }
    // The library lets `AWS_DEFAULT_REGION` give way to a region that is set already.
    if let Some(region) = settings.get("aws_default_region") {
        builder = builder.with_region(region);
    }
    if !is_turn_of(profile, settings) {
        return builder;
    }
    match profile.credentials() {
        Some(credentials) => builder.with_credentials(credentials),
        None => builder,
    }
}

fn is_turn_of(profile: &Profile, settings: &Settings) -> bool {
    let keys = settings.has(&["aws_access_key_id", "aws_secret_access_key", "aws_skip_signature"]);
    !keys && (profile.is_chosen || !has_web_identity(settings))
}

fn has_web_identity(settings: &Settings) -> bool {
    settings.has(&["aws_web_identity_token_file"]) && settings.has(&["aws_role_arn"])
}

fn needs_machine_metadata(settings: &Settings, profile: Option<&Profile>) -> bool {
    let names = ["aws_access_key_id", "aws_secret_access_key", "aws_skip_signature", "aws_container_credentials_relative_uri"];
    let container =
        settings.has(&["aws_container_credentials_full_uri"]) && settings.has(&["aws_container_authorization_token_file"]);
    let in_profile = profile.is_some_and(|profile| profile.credentials().is_some());
    !settings.has(&names) && !container && !has_web_identity(settings) && !in_profile
}
