//! A TLS server whose certificate no client trusts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::CONTENT_TYPE;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// Answers every request over TLS with the same JSON. Its certificate is valid for `localhost` and
/// 127.0.0.1, and signed by itself.
#[derive(Debug)]
pub struct Untrusted {
    certificate: String,
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: AtomicU64,
    handshakes: AtomicU64,
    requests: AtomicU64,
}

impl Untrusted {
    /// Starts on a free port of 127.0.0.1; stops when it is dropped.
    pub async fn start(json: impl Into<Arc<str>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (acceptor, certificate) = acceptor();
        let task = tokio::spawn(accept(listener, acceptor, json.into(), Arc::clone(&seen)));
        Self { certificate, address, seen, task }
    }

    /// Its certificate in PEM: who trusts it can connect.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its address, with a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}/", self.address)
    }

    /// How many connections were opened.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// How many clients accepted the certificate.
    #[must_use]
    pub fn handshakes(&self) -> u64 {
        self.seen.handshakes.load(Ordering::Relaxed)
    }

    /// How many requests were answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.seen.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Untrusted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The provider is named, so that no other crate's choice of a default matters.
fn acceptor() -> (TlsAcceptor, String) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, json: Arc<str>, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        seen.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(serve(stream, tls.clone(), Arc::clone(&json), Arc::clone(&seen)));
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, json: Arc<str>, seen: Arc<Seen>) {
    let Ok(stream) = tls.accept(stream).await else { return };
    seen.handshakes.fetch_add(1, Ordering::Relaxed);
    let answer = service_fn(async |_: Request<Incoming>| {
        seen.requests.fetch_add(1, Ordering::Relaxed);
        let mut answer = Response::new(json.to_string());
        let json = http::HeaderValue::from_static("application/json");
        answer.headers_mut().insert(CONTENT_TYPE, json);
        Ok::<_, Infallible>(answer)
    });
    // A client that leaves in the middle does not matter.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}
