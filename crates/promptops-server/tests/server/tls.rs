//! Encrypted connections.

use promptops_registry::Registry;
use promptops_server::{Access, TlsError, TlsIdentity};
use promptops_store::{Store, StoreError, StoreOptions};
use tempfile::TempDir;

use crate::harness::{Server, prompt};

/// A certificate for localhost that signs itself, and its key.
fn certificate() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    folder
}

fn identity(folder: &TempDir) -> Result<TlsIdentity, TlsError> {
    TlsIdentity::from_pem_files(&folder.path().join("cert.pem"), &folder.path().join("key.pem"))
}

#[tokio::test]
async fn a_registry_is_read_and_written_over_tls() {
    let folder = certificate();
    let server = Server::start(|settings| {
        settings.access = Access::Keys;
        settings.tls = Some(identity(&folder).unwrap());
    })
    .await;
    server.publish(&prompt("a@1", "Hello {{ name }}")).await;
    let token = server.key("ci", &["publish"]).await;
    let url = server.url.replace("127.0.0.1", "localhost");
    let options = |ca: bool| {
        let mut settings = vec![("PROMPTOPS_API_KEY", token.reveal())];
        if ca {
            settings.push(("PROMPTOPS_CA_FILE", "cert.pem".to_owned()));
        }
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        StoreOptions { base_dir: folder.path().to_owned(), settings }
    };
    let registry = Registry::open(Store::open(&url, &options(true)).unwrap()).await.unwrap();
    assert_eq!(registry.list().await.unwrap().len(), 1);
    let unknown = Store::open(&url, &options(false)).unwrap().get("format.json").await.unwrap_err();
    let StoreError::Unavailable { source, .. } = &unknown else { panic!("{unknown:?}") };
    assert!(source.to_string().to_lowercase().contains("certificate"), "{source}");
}

#[test]
fn certificates_and_keys_that_do_not_fit_are_named() {
    let folder = certificate();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let swapped = TlsIdentity::from_pem_files(&key, &certificate).err().unwrap();
    assert_eq!(swapped.to_string(), format!("`{}` holds no certificate in PEM form", key.display()));
    let missing = TlsIdentity::from_pem_files(&certificate, &folder.path().join("none.pem")).err().unwrap();
    assert!(matches!(missing, TlsError::Pem { what: "private key", .. }), "{missing:?}");
    let other = self::certificate();
    let mixed = TlsIdentity::from_pem_files(&certificate, &other.path().join("key.pem")).err().unwrap();
    assert!(matches!(mixed, TlsError::Unfit(_)), "{mixed:?}");
}
