//! https: certificates are verified, with the system's roots or those that `SSL_CERT_FILE` names.
//!
//! `tls/localhost.pem` and its key are for these tests only. The key of the authority that signed
//! it was deleted: `openssl req -x509 -newkey ec …` made `ca.pem`, `openssl x509 -req -CA ca.pem
//! -days 36500 …` the certificate.

use crate::raw_server::*;
use hookfast::internals::domain::Outcome;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};
use tokio_rustls::TlsAcceptor;

async fn tls_server() -> RawServer {
    let certificate =
        CertificateDer::from_pem_slice(include_bytes!("tls/localhost.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/localhost.key")).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("versions")
    .with_no_client_auth()
    .with_single_cert(vec![certificate], key)
    .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    RawServer::start(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            while read_request(&mut stream).await.is_some() {
                stream
                    .write_all(b"HTTP/1.1 204 Done\r\n\r\n")
                    .await
                    .expect("the handler reads");
            }
        }
    })
    .await
}

/// Runs itself in a child process, which trusts the tests' authority and no other.
#[tokio::test]
async fn a_trusted_certificate_is_valid_for_its_name_only() {
    const PORT: &str = "HOOKFAST_TEST_PORT";
    if let Ok(port) = std::env::var(PORT) {
        let handler = handler(format!("https://localhost:{port}/?token={PASSWORD}"));
        for _ in 0..3 {
            assert_eq!(deliver(&handler).await.outcome, Outcome::Delivered);
        }
        let other_name = deliver(&crate::raw_server::handler(format!(
            "https://127.0.0.1:{port}/"
        )))
        .await;
        assert!(
            error(&other_name).starts_with("tls failed: 127.0.0.1:"),
            "{other_name:?}"
        );
        return;
    }
    let server = tls_server().await;
    let output = Command::new(std::env::current_exe().expect("this test's file"))
        .args([
            "--exact",
            "push_handler_tls::a_trusted_certificate_is_valid_for_its_name_only",
        ])
        .env(
            "SSL_CERT_FILE",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/ca.pem"),
        )
        .env_remove("SSL_CERT_DIR")
        .env(PORT, server.addr.port().to_string())
        .output()
        .await
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(
        server.connections(),
        2,
        "three deliveries on one connection, and one to another name"
    );
}

#[tokio::test]
async fn an_unknown_authority_and_a_server_without_tls_are_rejected() {
    let unknown = tls_server().await;
    let plain = RawServer::start(|_, mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 400 Plain\r\ncontent-length: 0\r\n\r\n")
            .await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for server in [unknown, plain] {
        let port = server.addr.port();
        let report = deliver(&handler(format!(
            "https://localhost:{port}/?token={PASSWORD}"
        )))
        .await;
        assert!(
            error(&report).starts_with(&format!("tls failed: localhost:{port}: ")),
            "{report:?}"
        );
        assert!(matches!(report.outcome, Outcome::Retry { after: None, .. }));
    }
}
