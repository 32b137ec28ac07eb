//! Profiles of the shared files that the AWS tools keep: `~/.aws/credentials` and `~/.aws/config`.
//!
//! The object store library does not read them, and the crate of AWS that does (`aws-config`) would bring a second HTTP
//! and TLS stack along. So this reads keys, region and endpoint itself, runs a `credential_process`, and leaves every other
//! way to credentials (SSO, assumed roles, a login) to the AWS command line, which knows them all.

mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::StaticCredentialProvider;
use object_store::aws::{AwsCredential, AwsCredentialProvider};

use self::process::ProcessCredentials;
use super::super::Settings;

const DEFAULT: &str = "default";

/// Keys by which a profile names a way to credentials that only the AWS command line goes.
const LEFT_TO_THE_COMMAND_LINE: [&str; 5] = ["sso_session", "sso_start_url", "role_arn", "login_session", "credential_source"];

/// A profile: what both files say of it, those of the credentials file first.
pub(super) struct Profile {
    name: String,
    /// Whether `AWS_PROFILE` names it; the profile `default` is read without being asked for.
    pub(super) is_chosen: bool,
    values: BTreeMap<String, String>,
}

impl Profile {
    /// Reads the profile that counts; `None` when none is chosen and there is no `default`.
    ///
    /// # Errors
    ///
    /// A reason when a chosen profile is in neither file, or a file cannot be read.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, String> {
        let chosen = settings.get("aws_profile").or_else(|| settings.get("aws_default_profile"));
        let name = chosen.unwrap_or(DEFAULT);
        let config = read_file(settings, "aws_config_file", ".aws/config")?;
        let credentials = read_file(settings, "aws_shared_credentials_file", ".aws/credentials")?;
        let in_config = [format!("profile {name}"), name.to_owned()];
        // In the configuration only `default` stands without the word `profile`.
        let in_config = if name == DEFAULT { &in_config[..] } else { &in_config[..1] };
        let sections = in_config.iter().map(|section| section_of(&config, section));
        let found: Vec<BTreeMap<String, String>> = sections.chain([section_of(&credentials, name)]).flatten().collect();
        if found.is_empty() {
            return match chosen {
                Some(name) => Err(format!("there is no AWS profile `{name}` in the shared files")),
                None => Ok(None),
            };
        }
        let values = found.into_iter().flatten().collect();
        Ok(Some(Self { name: name.to_owned(), is_chosen: chosen.is_some(), values }))
    }

    /// Returns a value of the profile.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns where its credentials come from; `None` when it names none. Runs nothing yet.
    pub(super) fn credentials(&self) -> Option<AwsCredentialProvider> {
        if let (Some(key_id), Some(secret_key)) = (self.get("aws_access_key_id"), self.get("aws_secret_access_key")) {
            let token = self.get("aws_session_token").map(str::to_owned);
            let credential = AwsCredential { key_id: key_id.to_owned(), secret_key: secret_key.to_owned(), token };
            return Some(Arc::new(StaticCredentialProvider::new(credential)));
        }
        if let Some(command) = self.get("credential_process") {
            return Some(Arc::new(ProcessCredentials::shell(command)));
        }
        let elsewhere = LEFT_TO_THE_COMMAND_LINE.iter().any(|key| self.get(key).is_some());
        elsewhere.then(|| Arc::new(ProcessCredentials::aws_command_line(&self.name)) as _)
    }
}

/// Reads the file that a setting names, or the one in the home folder; one that does not exist is empty.
fn read_file(settings: &Settings, setting: &str, in_home: &str) -> Result<String, String> {
    let named = settings.get(setting).map(PathBuf::from);
    let Some(path) = named.or_else(|| Some(settings.home()?.join(in_home))) else {
        return Ok(String::new());
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read `{}` ({error})", path.display())
}

/// The values of one section; `None` when there is no such section.
///
/// Indented lines belong to the key above them (`s3 =` and its settings) and are no values of the profile.
fn section_of(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut values: Option<BTreeMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines() {
        if line.is_empty() || line.starts_with(['#', ';', ' ', '\t']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default();
            // `[profile  name]` with any space between is the same.
            inside = header.split_whitespace().eq(name.split_whitespace());
            if inside {
                values.get_or_insert_default();
            }
        } else if inside && let (Some(values), Some((key, value))) = (&mut values, line.split_once('=')) {
            let value = value.split(" #").next().unwrap_or_default();
            values.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::StoreOptions;

    const CONFIG: &str = "\
# of the whole team
[default]
region = eu-west-1
[profile  ops]
region=eu-north-1   # Stockholm
endpoint_url = http://127.0.0.1:9000
s3 =
  region = nowhere
[profile sso]
sso_session = work
[profile tool]
credential_process = /bin/give-keys --to 'me'
[bare]
region = never-read
";
    const CREDENTIALS: &str = "\
[default]
aws_access_key_id = default-id
aws_secret_access_key = default-secret
[ops]
AWS_ACCESS_KEY_ID = ops-id
aws_secret_access_key = a/secret=with+signs
aws_session_token = ops-token
[half]
aws_access_key_id = only-half
";

    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), CONFIG).unwrap();
        std::fs::write(home.path().join(".aws/credentials"), CREDENTIALS).unwrap();
        home
    }

    fn read(home: &Path, more: &[(&str, &str)]) -> Result<Option<Profile>, String> {
        let home = home.to_str().unwrap();
        let settings = [&[("HOME", home), ("USERPROFILE", home)], more].concat();
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Profile::read(&Settings::of(&StoreOptions { settings, ..StoreOptions::default() }))
    }

    async fn keys(profile: &Profile) -> (String, String, Option<String>) {
        let credential = profile.credentials().unwrap().get_credential().await.unwrap();
        (credential.key_id.clone(), credential.secret_key.clone(), credential.token.clone())
    }

    #[tokio::test]
    async fn a_profile_is_what_both_files_say_of_it() {
        let home = home();
        let profile = read(home.path(), &[("AWS_PROFILE", "ops")]).unwrap().unwrap();
        assert!(profile.is_chosen);
        assert_eq!(profile.get("region"), Some("eu-north-1"), "without its comment, and not the nested one");
        assert_eq!(profile.get("endpoint_url"), Some("http://127.0.0.1:9000"));
        let expected = ("ops-id".to_owned(), "a/secret=with+signs".to_owned(), Some("ops-token".to_owned()));
        assert_eq!(keys(&profile).await, expected);
    }

    #[tokio::test]
    async fn the_default_profile_is_read_without_being_asked_for() {
        let home = home();
        let profile = read(home.path(), &[]).unwrap().unwrap();
        assert!(!profile.is_chosen);
        assert_eq!(profile.get("region"), Some("eu-west-1"));
        assert_eq!(keys(&profile).await.0, "default-id");
        let elsewhere = home.path().join("other");
        std::fs::write(&elsewhere, "[default]\naws_access_key_id=x\naws_secret_access_key=y\n").unwrap();
        let named = [("AWS_SHARED_CREDENTIALS_FILE", elsewhere.to_str().unwrap())];
        assert_eq!(keys(&read(home.path(), &named).unwrap().unwrap()).await.0, "x");
    }

    #[test]
    fn what_the_files_do_not_name_is_refused_only_when_chosen() {
        let empty = tempfile::tempdir().unwrap();
        assert!(read(empty.path(), &[]).unwrap().is_none());
        for name in ["absent", "bare"] {
            let reason = read(home().path(), &[("AWS_PROFILE", name)]).err().unwrap();
            assert_eq!(reason, format!("there is no AWS profile `{name}` in the shared files"));
        }
        let folder = [("AWS_CONFIG_FILE", empty.path().to_str().unwrap())];
        assert!(read(empty.path(), &folder).err().unwrap().starts_with("cannot read `"));
    }

    #[test]
    fn ways_to_credentials_are_told_apart() {
        let home = home();
        let way = |name| {
            let profile = read(home.path(), &[("AWS_PROFILE", name)]).unwrap().unwrap();
            profile.credentials().map(|credentials| format!("{credentials:?}"))
        };
        assert!(way("tool").unwrap().contains("/bin/give-keys"));
        assert!(way("sso").unwrap().contains("export-credentials"));
        assert_eq!(way("half"), None, "one key alone is none");
    }
}
