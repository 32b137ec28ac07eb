//! Encrypted connections.

use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use promptops_registry::Registry;
use promptops_server::{Access, TlsError, TlsIdentity};
use promptops_store::{Store, StoreError, StoreOptions};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;
use tokio::net::TcpStream;

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

#[tokio::test]
async fn a_client_that_offers_http2_gets_it() {
    let folder = certificate();
    let server = Server::start(|settings| settings.tls = Some(identity(&folder).unwrap())).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path().join("cert.pem")).unwrap()).unwrap();
    for (offered, expected) in
        [(&[b"h2".to_vec(), b"http/1.1".to_vec()][..], Some("h2")), (&[b"http/1.1".to_vec()], Some("http/1.1")), (&[], None)]
    {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = offered.to_vec();
        let stream = TcpStream::connect(server.url.strip_prefix("https://").unwrap()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        let agreed = stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap());
        assert_eq!(agreed.as_deref(), expected);
        if expected == Some("h2") {
            let (executor, io) = (TokioExecutor::new(), TokioIo::new(stream));
            let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, String>(executor, io).await.unwrap();
            tokio::spawn(connection);
            let request = hyper::Request::get("https://localhost/healthz").body(String::new()).unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        }
    }
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
