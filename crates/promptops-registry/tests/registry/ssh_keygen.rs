//! The system's `ssh-keygen` and this crate accept each other's signatures.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use chrono::Duration;
use promptops_prompt::evidence::{APPROVAL_PREDICATE, Statement};
use promptops_registry::approval::{ApprovalRequest, NAMESPACE};
use ssh_key::LineEnding;

use crate::desk::{Desk, minute, private_key, prod, reference, signing_key, tagged};

fn ssh_keygen(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("ssh-keygen")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ssh-keygen is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn ssh_keygen_verifies_our_signature() {
    let desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    let (reference, environment) = (reference("a.b@1"), prod());
    let request = ApprovalRequest {
        reference: &reference,
        environment: &environment,
        group: "legal",
        expires: minute(0) + Duration::days(7),
    };
    let approval = desk.registry.sign_approval(&request, &signing_key("bob"), &desk.owners, minute(1)).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("signers"), format!("bob {}\n", signing_key("bob").public_key())).unwrap();
    std::fs::write(folder.path().join("signature"), &approval.signature).unwrap();
    let arguments = ["-Y", "verify", "-f", "signers", "-I", "bob", "-n", NAMESPACE, "-s", "signature"];
    let message = approval.statement.to_bytes();
    let verified = ssh_keygen(folder.path(), &arguments, &message);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));

    let mut altered = message;
    altered[10] ^= 1;
    assert!(!ssh_keygen(folder.path(), &arguments, &altered).status.success());
}

#[tokio::test]
async fn we_accept_what_ssh_keygen_signs() {
    let desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    let record = desk.registry.version(&reference("a.b@1")).await.unwrap();
    let predicate = serde_json::json!({
        "environment": "prod", "group": "legal", "approver": "bob", "time": minute(1), "expires": minute(500)
    });
    let statement = Statement::new(record.reference(), record.digest, APPROVAL_PREDICATE, predicate);

    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("bob");
    std::fs::write(&key, private_key("bob").to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let signed = ssh_keygen(folder.path(), &["-Y", "sign", "-f", "bob", "-n", NAMESPACE], &statement.to_bytes());
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    let signature = String::from_utf8(signed.stdout).unwrap();
    desk.registry.approve(&statement, &signature, &desk.owners, "bob", minute(2)).await.unwrap();
    assert!(desk.missing("a.b@1", 3).await.is_empty());
}
