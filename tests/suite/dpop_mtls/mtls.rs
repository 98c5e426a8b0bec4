//! Tokens that are bound to a client certificate (RFC 8705), over TLS as tonic does it.

use std::net::SocketAddr;

use grpc_auth::server::Protect;
use grpc_auth::{ClientCertificate, Dpop, ResourceServer};
use http::{HeaderValue, Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tests::kinds::Counting;
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::kinds_server::KindsServer;
use tests::sender::{Doors, Expected, ORIGIN};
use tests::{assert_denied, with_token};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::transport::{
    Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig,
};

/// A certificate authority, the server's certificate, and those of clients.
struct Pki {
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A client certificate in DER, and what its holder needs.
struct Client {
    der: Vec<u8>,
    identity: Identity,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { authority: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    fn issue(&self, name: &str) -> Client {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        // The whole chain is sent.
        let chain = format!("{}{}", certificate.pem(), self.authority.pem());
        let identity = Identity::from_pem(chain, key.serialize_pem());
        Client { der: certificate.der().to_vec(), identity }
    }

    fn server_tls(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(self.issue("localhost").identity)
            .client_ca_root(Certificate::from_pem(self.authority.pem()))
            .client_auth_optional(true)
    }

    fn client_tls(&self, client: Option<&Client>) -> ClientTlsConfig {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.authority.pem()))
            .domain_name("localhost");
        match client {
            Some(client) => tls.identity(client.identity.clone()),
            None => tls,
        }
    }

    async fn serve(&self, service: Protect<KindsServer<Counting>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().tls_config(self.server_tls()).unwrap().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    async fn connect(&self, address: SocketAddr, client: Option<&Client>) -> Channel {
        let endpoint = Endpoint::try_from(format!("https://{address}")).unwrap();
        endpoint.tls_config(self.client_tls(client)).unwrap().connect().await.unwrap()
    }
}

fn bound(doors: &Doors, der: &[u8]) -> String {
    doors.issuer.token().scopes(["read:word"]).bound_to_certificate(der).sign()
}

const OTHER: &str = "bound to another client certificate than this connection's";
const NONE: &str = "the sender showed none on this connection";

#[tokio::test]
async fn a_token_is_good_on_connections_with_its_certificate_alone() {
    let mut doors = Doors::with(|builder| builder.mutual_tls()).await;
    let pki = Pki::new();
    let (alice, bob) = (pki.issue("alice"), pki.issue("bob"));
    let address = pki.serve(doors.auth.protect(doors.handlers.clone())).await;
    let bearer = format!("Bearer {}", bound(&doors, &alice.der));
    let of_authority = format!("Bearer {}", bound(&doors, pki.authority.der()));
    let plain = format!("Bearer {}", doors.issuer.token().scopes(["read:word"]).sign());

    // Its verdict is remembered, its sender's is not.
    for _ in 0..3 {
        doors.connect(pki.connect(address, Some(&alice)).await);
        assert!(doors.call(&bearer, &[]).await.is_ok());
        assert!(doors.call(&plain, &[]).await.is_ok());
        // The client's own certificate is the first of its chain.
        doors.refuses(&of_authority, &[], Expected::Token, OTHER).await;

        doors.connect(pki.connect(address, Some(&bob)).await);
        doors.refuses(&bearer, &[], Expected::Token, OTHER).await;
        doors.connect(pki.connect(address, None).await);
        doors.refuses(&bearer, &[], Expected::Token, NONE).await;
        assert!(doors.call(&plain, &[]).await.is_ok());
    }
}

#[tokio::test]
async fn without_the_setting_a_bound_token_is_refused_with_its_name() {
    let mut doors = Doors::with(|builder| builder).await;
    let pki = Pki::new();
    let alice = pki.issue("alice");
    let address = pki.serve(doors.auth.protect(doors.handlers.clone())).await;
    doors.connect(pki.connect(address, Some(&alice)).await);
    let bearer = format!("Bearer {}", bound(&doors, &alice.der));
    doors.refuses(&bearer, &[], Expected::Token, "configure `.mutual_tls()`").await;
}

#[tokio::test]
async fn a_token_that_is_bound_twice_needs_both() {
    let dpop = || Dpop::for_origins([ORIGIN]);
    let mut doors = Doors::with(|builder| builder.mutual_tls().dpop(dpop())).await;
    let pki = Pki::new();
    let (alice, bob) = (pki.issue("alice"), pki.issue("bob"));
    let address = pki.serve(doors.auth.protect(doors.handlers.clone())).await;
    let token = doors.issuer.token().scopes(["read:word"]);
    let token = token.bound_to_certificate(&alice.der).bound_to_key(&doors.key).sign();
    let (dpop, bearer) = (format!("DPoP {token}"), format!("Bearer {token}"));

    doors.connect(pki.connect(address, Some(&alice)).await);
    assert!(doors.prove(&token, &doors.proof(&token)).await.is_ok());
    doors.refuses(&bearer, &[], Expected::Token, "came as `Bearer`").await;
    let forged = doors.key.proof(tests::sender::UNARY, &token).sign_with_wrong_key();
    doors.refuses(&dpop, &[&forged], Expected::Proof, "the signature of the DPoP proof").await;
    doors.connect(pki.connect(address, Some(&bob)).await);
    doors.refuses(&dpop, &[&doors.proof(&token)], Expected::Token, OTHER).await;
    doors.connect(pki.connect(address, None).await);
    doors.refuses(&dpop, &[&doors.proof(&token)], Expected::Token, NONE).await;
}

/// A call in this process, as layers outside of ours may have changed it.
async fn call(
    auth: &ResourceServer,
    bearer: &str,
    change: impl FnOnce(&mut Request<Body>),
) -> bool {
    let mut request = Request::post("/kit.v1.Kinds/Bidi").body(Body::empty()).unwrap();
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("authorization", bearer.parse().unwrap());
    change(&mut request);
    let answer: Response<Body> = auth.protect(Counting::default()).call(request).await.unwrap();
    !answer.headers().contains_key("grpc-status")
}

#[tokio::test]
async fn no_header_speaks_for_a_certificate() {
    let mut doors = Doors::with(|builder| builder.mutual_tls()).await;
    let pki = Pki::new();
    let alice = pki.issue("alice");
    let bearer = format!("Bearer {}", bound(&doors, &alice.der));
    // Over a connection without TLS.
    doors.refuses(&bearer, &[], Expected::Token, NONE).await;
    let address = pki.serve(doors.auth.protect(doors.handlers.clone())).await;
    doors.connect(pki.connect(address, None).await);
    doors.refuses(&bearer, &[], Expected::Token, NONE).await;

    // Nor does the certificate of a proxy, whatever it says of whom it speaks for.
    let proxy = pki.issue("proxy");
    let proxy = pki.connect(address, Some(&proxy)).await;
    let mut proxy = KindsClient::new(proxy);
    let pem = Certificate::from_pem(pki.authority.pem());
    let pem = String::from_utf8(pem.into_inner()).unwrap().replace('\n', "%0A");
    for name in [
        "x-forwarded-client-cert",
        "x-client-cert",
        "x-ssl-client-cert",
        "ssl-client-cert",
        "client-cert",
        "client-cert-chain",
        "x-amzn-mtls-clientcert",
    ] {
        let token = bound(&doors, pki.authority.der());
        let bearer = format!("Bearer {token}");
        let is_let_in = call(&doors.auth, &bearer, |request| {
            request.headers_mut().insert(name, pem.parse().unwrap());
        });
        assert!(!is_let_in.await, "{name}");
        let logs = Logs::capture();
        let mut request = with_token(Word::default(), &token);
        request.metadata_mut().insert(name, pem.parse().unwrap());
        let answer = proxy.unary(request).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
        assert!(logs.line_with("call denied").contains(OTHER), "{name}");
    }
    assert_eq!(doors.handlers.reached_in_all(), 0);
}

#[tokio::test]
async fn an_acceptor_of_ones_own_vouches_for_the_certificate() {
    let doors = Doors::with(|builder| builder.mutual_tls()).await;
    let pki = Pki::new();
    let (alice, bob) = (pki.issue("alice"), pki.issue("bob"));
    let bearer = format!("Bearer {}", bound(&doors, &alice.der));
    for (der, expected) in [(Some(&alice.der), true), (Some(&bob.der), false), (None, false)] {
        let is_let_in = call(&doors.auth, &bearer, |request| {
            if let Some(der) = der {
                request.extensions_mut().insert(ClientCertificate::from_der(der));
            }
        });
        assert_eq!(is_let_in.await, expected);
    }
    // Not where no certificate was asked for.
    let auth = doors.issuer.resource_server().build().await.unwrap();
    let is_let_in = call(&auth, &bearer, |request| {
        request.extensions_mut().insert(ClientCertificate::from_der(&alice.der));
    });
    assert!(!is_let_in.await);
}

#[tokio::test]
async fn unix_sockets_have_certificates_too() {
    let mut doors = Doors::with(|builder| builder.mutual_tls()).await;
    let pki = Pki::new();
    let (alice, bob) = (pki.issue("alice"), pki.issue("bob"));
    let folder = std::env::temp_dir().join(format!("grpc-auth-mtls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let service = doors.auth.protect(doors.handlers.clone());
    let server = Server::builder().tls_config(pki.server_tls()).unwrap().add_service(service);
    tokio::spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));

    let connect = async |client: &Client| {
        let endpoint = Endpoint::try_from("https://localhost").unwrap();
        let endpoint = endpoint.tls_config(pki.client_tls(Some(client))).unwrap();
        let path = path.clone();
        let connector = tower::service_fn(move |_: http::Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        endpoint.connect_with_connector(connector).await.unwrap()
    };
    let bearer = format!("Bearer {}", bound(&doors, &alice.der));
    doors.connect(connect(&alice).await);
    assert!(doors.call(&bearer, &[]).await.is_ok());
    doors.connect(connect(&bob).await);
    doors.refuses(&bearer, &[], Expected::Token, OTHER).await;
    std::fs::remove_dir_all(&folder).unwrap();
}
