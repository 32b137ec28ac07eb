//! Credentials that a program prints.

use std::fmt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::aws::AwsCredential;
use object_store::{CredentialProvider, Error, Result};
use serde_json::Value;
use tokio::sync::Mutex;

/// How long before they expire credentials are asked for again, so that none expires on its way to the server.
const BEFORE_EXPIRY: TimeDelta = TimeDelta::minutes(5);

/// What a program printed, kept until shortly before it expires.
///
/// The program is trusted as the person's configuration is: it runs with the rights and the environment of this process,
/// without standard input. It is run at the first call that needs credentials.
pub(super) struct ProcessCredentials {
    program: String,
    arguments: Vec<String>,
    kept: Mutex<Option<Printed>>,
}

#[derive(Clone)]
struct Printed {
    credential: Arc<AwsCredential>,
    expires: Option<DateTime<Utc>>,
}

impl ProcessCredentials {
    /// The command of a `credential_process`, run by the shell as the AWS SDKs do.
    pub(super) fn shell(command: &str) -> Self {
        let (program, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        Self::new(program, &[option, command])
    }

    /// The AWS command line (version 2), which knows every way to credentials that a profile can name.
    pub(super) fn aws_command_line(profile: &str) -> Self {
        Self::new("aws", &["configure", "export-credentials", "--format", "process", "--profile", profile])
    }

    fn new(program: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { program: program.to_owned(), arguments, kept: Mutex::new(None) }
    }

    fn run(program: &str, arguments: &[String]) -> std::result::Result<Printed, String> {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("`{program}` gave no AWS credentials, it cannot be started: {error}"))?;
        let command = format!("{program} {}", arguments.join(" "));
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{command}` gave no AWS credentials ({}): {}", output.status, said.trim()));
        }
        // What was printed is secret: no part of it enters a message.
        read(&output.stdout).ok_or_else(|| format!("`{command}` gave no AWS credentials of version 1"))
    }
}

/// Reads the form that AWS gives the output of a `credential_process`.
fn read(printed: &[u8]) -> Option<Printed> {
    let printed: Value = serde_json::from_slice(printed).ok()?;
    let text = |key| printed.get(key).and_then(Value::as_str).map(str::to_owned);
    if printed.get("Version").and_then(Value::as_u64) != Some(1) {
        return None;
    }
    let credential =
        AwsCredential { key_id: text("AccessKeyId")?, secret_key: text("SecretAccessKey")?, token: text("SessionToken") };
    let expires = match text("Expiration") {
        Some(time) => Some(DateTime::parse_from_rfc3339(&time).ok()?.to_utc()),
        None => None,
    };
    Some(Printed { credential: Arc::new(credential), expires })
}

impl fmt::Debug for ProcessCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = formatter.debug_struct("ProcessCredentials").field("program", &self.program).finish_non_exhaustive();
        command.and_then(|()| write!(formatter, " {:?}", self.arguments))
    }
}

#[async_trait]
impl CredentialProvider for ProcessCredentials {
    type Credential = AwsCredential;

    #[expect(clippy::disallowed_methods, reason = "credentials expire by the wall clock, and nothing else depends on it")]
    async fn get_credential(&self) -> Result<Arc<AwsCredential>> {
        // Held while the program runs, so that many first calls start it once.
        let mut kept = self.kept.lock().await;
        if let Some(printed) = &*kept
            && printed.expires.is_none_or(|expires| Utc::now() + BEFORE_EXPIRY < expires)
        {
            return Ok(Arc::clone(&printed.credential));
        }
        let (program, arguments) = (self.program.clone(), self.arguments.clone());
        let printed = tokio::task::spawn_blocking(move || Self::run(&program, &arguments)).await?;
        let printed = printed.map_err(|reason| Error::Generic { store: "S3", source: reason.into() })?;
        let credential = Arc::clone(&printed.credential);
        *kept = Some(printed);
        Ok(credential)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A program that counts how often it is run, in a file, and prints these credentials.
    fn counted(folder: &std::path::Path, expiration: &str) -> ProcessCredentials {
        let count = folder.join("runs");
        let printed =
            format!(r#"{{"Version": 1, "AccessKeyId": "id", "SecretAccessKey": "hush", "SessionToken": "t"{expiration}}}"#);
        ProcessCredentials::shell(&format!("echo run >> '{}'; echo '{printed}'", count.display()))
    }

    fn runs(folder: &std::path::Path) -> usize {
        std::fs::read_to_string(folder.join("runs")).expect("the program ran").lines().count()
    }

    #[tokio::test]
    async fn a_program_is_run_once_until_its_credentials_expire() {
        for (expiration, expected) in
            [("", 1), (r#", "Expiration": "2999-01-01T00:00:00Z""#, 1), (r#", "Expiration": "2020-01-01T00:00:00Z""#, 3)]
        {
            let folder = tempfile::tempdir().unwrap();
            let credentials = counted(folder.path(), expiration);
            for _ in 0..3 {
                let credential = credentials.get_credential().await.unwrap();
                assert_eq!((credential.key_id.as_str(), credential.token.as_deref()), ("id", Some("t")));
            }
            assert_eq!(runs(folder.path()), expected, "{expiration}");
        }
    }

    #[tokio::test]
    async fn a_program_that_fails_is_quoted_and_its_output_is_not() {
        let refusal = async |command: &str| {
            let error = ProcessCredentials::shell(command).get_credential().await.unwrap_err();
            assert!(matches!(error, Error::Generic { .. }), "{error:?}");
            error.to_string()
        };
        let said = refusal("echo hush; echo 'Token has expired' >&2; exit 3").await;
        assert!(said.contains("Token has expired") && said.contains("exit status: 3"), "{said}");
        assert!(!said.contains(": hush"), "{said}");
        for printed in ["not json", r#"{"Version": 2, "AccessKeyId": "a", "SecretAccessKey": "b"}"#, r#"{"Version": 1}"#] {
            let said = refusal(&format!("echo '{printed}'")).await;
            assert!(said.contains("gave no AWS credentials of version 1"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = ProcessCredentials::new("no-such-program-of-aws", &[]).get_credential().await.unwrap_err();
        assert!(error.to_string().contains("`no-such-program-of-aws` gave no AWS credentials"), "{error}");
    }
}
