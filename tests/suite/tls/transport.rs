//! TLS for channels and servers, and tokens that do not go out in plaintext.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use grpc_auth::ConfigError;
use grpc_auth::danger::PlaintextAllowed;
use grpc_auth::tls::{ClientTls, DevelopmentCa, Identity, SecureEndpoint, ServerTls};
use tempfile::TempDir;
use tests::told;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Code;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn ca(&self, name: &str) -> DevelopmentCa {
        DevelopmentCa::new(self.0.path().join(name))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }
}

async fn serve(tls: &ServerTls) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder().tls_config(tls.config()).unwrap().add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

fn endpoint(scheme: &str, address: SocketAddr) -> Endpoint {
    Endpoint::try_from(format!("{scheme}://{address}")).unwrap()
}

/// Connects and calls: TLS 1.3 refuses a client's certificate only then.
async fn call(tls: &ClientTls, address: SocketAddr) -> Result<(), String> {
    call_over(tls.apply(endpoint("https", address)).unwrap().connect_lazy()).await
}

async fn call_over(channel: Channel) -> Result<(), String> {
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    answer.map(|_| ()).map_err(|status| {
        assert_ne!(status.code(), Code::Ok);
        told(&status)
    })
}

#[track_caller]
fn assert_refused(outcome: Result<(), String>, text: &str) {
    let refusal = outcome.unwrap_err();
    assert!(refusal.contains(text), "{refusal}");
}

#[track_caller]
fn assert_says(error: &ConfigError, texts: &[&str]) {
    let said = format!("{error:?}");
    assert!(texts.iter().all(|text| said.contains(text)), "{texts:?} in {said}");
}

#[tokio::test]
async fn a_server_is_believed_by_those_who_name_its_authority_and_nobody_else() {
    let folder = Folder::new();
    let (ca, other) = (folder.ca("ca"), folder.ca("other"));
    let address = serve(&ca.server_tls().unwrap()).await;
    other.client_tls().unwrap();

    assert_eq!(call(&ca.client_tls().unwrap(), address).await, Ok(()));
    assert_eq!(call(&ClientTls::ca_file(ca.ca_file()).unwrap(), address).await, Ok(()));
    let pem = std::fs::read(ca.ca_file()).unwrap();
    assert_eq!(call(&ClientTls::ca_pem(&pem).unwrap(), address).await, Ok(()));
    let both = ClientTls::webpki_roots().and_ca_file(ca.ca_file()).unwrap();
    assert_eq!(call(&both, address).await, Ok(()));

    let unknown = "UnknownIssuer";
    assert_refused(call(&other.client_tls().unwrap(), address).await, unknown);
    assert_refused(call(&ClientTls::webpki_roots(), address).await, unknown);
}

#[tokio::test]
async fn the_name_is_verified_and_may_be_another_than_the_host() {
    let folder = Folder::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["echo.example.com".to_owned()]).unwrap();
    let made = made.self_signed(&key).unwrap();
    let identity = Identity::from_pem(made.pem(), key.serialize_pem()).unwrap();
    let address = serve(&ServerTls::new(identity)).await;
    let tls = ClientTls::ca_file(folder.write("ca.pem", made.pem())).unwrap();

    assert_refused(call(&tls, address).await, "not valid for name");
    let named = tls.server_name("echo.example.com").unwrap();
    assert_eq!(call(&named, address).await, Ok(()));
    for wrong in ["https://echo.example.com", "echo.example.com:443", "", "a b"] {
        let error = named.clone().server_name(wrong).unwrap_err();
        assert_says(&error, &["the server name", "without scheme and port"]);
    }
}

#[tokio::test]
async fn client_certificates_are_required_verified_or_optional() {
    let folder = Folder::new();
    let (ca, other) = (folder.ca("ca"), folder.ca("other"));
    let required = ca.server_tls().unwrap().client_ca_file(ca.ca_file()).unwrap();
    let optional = required.clone().client_certificate_optional();
    let client = || ca.client_tls().unwrap();
    let known = client().identity(ca.identity("alice").unwrap());
    let stranger = client().identity(other.identity("mallory").unwrap());

    let address = serve(&required).await;
    assert_eq!(call(&known, address).await, Ok(()));
    assert_refused(call(&client(), address).await, "CertificateRequired");
    assert_refused(call(&stranger, address).await, "UnknownCA");

    let address = serve(&optional).await;
    assert_eq!(call(&known, address).await, Ok(()));
    assert_eq!(call(&client(), address).await, Ok(()));
    assert_refused(call(&stranger, address).await, "UnknownCA");
    // No request is sent.
    let address = serve(&ca.server_tls().unwrap().client_certificate_optional()).await;
    assert_eq!(call(&client(), address).await, Ok(()));
}

#[tokio::test]
async fn an_http_client_has_the_same_roots_and_the_same_identity() {
    let folder = Folder::new();
    let ca = folder.ca("ca");
    let address = serve(&ca.server_tls().unwrap().client_ca_file(ca.ca_file()).unwrap()).await;
    let url = format!("https://{address}/");
    let get = |tls: ClientTls| {
        let client = tls.apply_to_http(reqwest::Client::builder().no_proxy()).unwrap();
        client.build().unwrap().get(&url).send()
    };
    let said = |error: reqwest::Error| format!("{error:?}");
    // It is let in, and then speaks HTTP/1.1, which tonic's server does not.
    let identity = ca.identity("alice").unwrap();
    let known = get(ca.client_tls().unwrap().identity(identity)).await.map_err(said);
    let refusal = format!("{known:?}");
    assert!(!refusal.contains("certificate") && !refusal.contains("Certificate"), "{refusal}");
    let anonymous = said(get(ca.client_tls().unwrap()).await.unwrap_err());
    assert!(anonymous.contains("CertificateRequired"), "{anonymous}");
    let stranger = said(get(ClientTls::webpki_roots()).await.unwrap_err());
    assert!(stranger.contains("UnknownIssuer"), "{stranger}");
}

#[test]
fn what_is_in_the_wrong_file_is_said_with_its_name_and_without_its_contents() {
    let folder = Folder::new();
    folder.ca("ca").server_tls().unwrap();
    let certificate = folder.read("ca/server.pem");
    let key = folder.read("ca/server-key.pem");
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let der = rcgen::KeyPair::generate().unwrap().serialize_der();
    let secrets: Vec<_> = [&key, &other].iter().map(|pem| pem.lines().nth(1).unwrap()).collect();
    let path = |name: &str| folder.0.path().join(name).to_str().unwrap().to_owned();

    let good = folder.write("good.pem", &certificate);
    let good_key = folder.write("good-key.pem", &key);
    let both = folder.write("both.pem", format!("{certificate}{key}"));
    assert!(Identity::from_pem_files(&good, &good_key).is_ok());
    assert!(Identity::from_pem_files(&both, &both).is_ok());

    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n\
               AAAA\n-----END RSA PRIVATE KEY-----";
    let bad_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = &key[..key.len() - 30];
    for (chain, key_file, texts) in [
        (path("none.pem"), good_key.clone(), &["none.pem", "cannot be read", "os error 2"][..]),
        (good.clone(), path("none-key.pem"), &["none-key.pem", "with the private key"]),
        (good.clone(), path("ca"), &["/ca`", "cannot be read"]),
        (folder.write("empty", ""), good_key.clone(), &["empty`", "it is empty"]),
        (folder.write("text", "hello"), good_key.clone(), &["text`", "no PEM in it"]),
        (folder.write("der", &der), good_key.clone(), &["der`", "openssl x509 -inform der"]),
        (
            good_key.clone(),
            good_key.clone(),
            &["good-key.pem`", "a private key where a certificate"],
        ),
        (good.clone(), good.clone(), &["good.pem`", "a certificate where the private key"]),
        (good.clone(), folder.write("enc", encrypted), &["enc`", "is encrypted", "openssl pkey"]),
        (good.clone(), folder.write("old", old), &["old`", "is encrypted"]),
        (folder.write("encrypted-chain", encrypted), good_key.clone(), &["a private key where"]),
        (good.clone(), folder.write("cut", cut), &["cut`", "its PEM is damaged"]),
        (good.clone(), folder.write("other", &other), &["other`", "does not belong to the first"]),
        (
            folder.write("bad", bad_der),
            good_key.clone(),
            &["bad`", "first certificate cannot be read"],
        ),
        (folder.write("large", vec![b'a'; 3 << 20]), good_key.clone(), &["large`", "2 MiB"]),
    ] {
        let error = Identity::from_pem_files(&chain, &key_file).unwrap_err();
        assert_says(&error, texts);
        let said = format!("{error}{error:?}");
        assert!(secrets.iter().all(|secret| !said.contains(secret)), "{said}");
        assert!(ServerTls::from_pem_files(&chain, &key_file).is_err());
    }

    for (ca, texts) in [
        (path("none.pem"), &["none.pem", "certificates of authorities"][..]),
        (good_key, &["good-key.pem`", "a private key where a certificate belongs"]),
        (folder.write("bad", bad_der), &["bad`", "a certificate in it cannot be read"]),
        (folder.write("half", format!("{certificate}{bad_der}")), &["half`", "cannot be read"]),
    ] {
        assert_says(&ClientTls::ca_file(&ca).unwrap_err(), texts);
        assert_says(&ClientTls::webpki_roots().and_ca_file(&ca).unwrap_err(), texts);
        let server = ServerTls::from_pem_files(&good, folder.write("key", &key)).unwrap();
        assert!(server.client_ca_file(&ca).is_err());
    }
    assert_says(&ClientTls::ca_pem("x").unwrap_err(), &["the PEM of authorities", "no PEM"]);
    assert_says(&Identity::from_pem(&certificate, "").unwrap_err(), &["the private key", "empty"]);
}

#[test]
fn nothing_shows_a_private_key() {
    let folder = Folder::new();
    let ca = folder.ca("ca");
    let identity = ca.identity("alice").unwrap();
    let key = folder.read("ca/client-alice-key.pem");
    let secret: Vec<u8> = key.lines().nth(1).unwrap().bytes().collect();
    let client = ca.client_tls().unwrap().identity(identity.clone());
    let server = ca.server_tls().unwrap();
    for shown in [&identity as &dyn Debug, &client, &server, &ca] {
        let shown = format!("{shown:?} {shown:#?}");
        assert!(!shown.contains(std::str::from_utf8(&secret).unwrap()), "{shown}");
        assert!(!shown.contains(&format!("{:?}", &secret[..8]).replace(['[', ']'], "")), "{shown}");
    }
    assert!(format!("{client:?}").contains("[redacted]"));
}

#[tokio::test]
async fn plaintext_to_another_host_is_refused_unless_it_is_allowed_by_name() {
    let refused = |endpoint: Endpoint| SecureEndpoint::from(endpoint).into_endpoint().err();
    for local in [
        "http://127.0.0.1:50051",
        "http://127.8.9.1",
        "http://localhost:1",
        "http://[::1]:50051",
        "unix:/run/echo.sock",
        "unix:///run/echo.sock",
    ] {
        assert!(refused(Endpoint::from_shared(local).unwrap()).is_none(), "{local}");
    }
    for remote in [
        "http://echo.example.com",
        "http://10.0.0.1:50051",
        "http://0.0.0.0:50051",
        "http://[::]:50051",
        "http://[::ffff:127.0.0.1]:1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "http://tonic",
        "http://tonic:80",
        "HTTP://echo.example.com",
        "ftp://echo.example.com",
        "echo.example.com:50051",
    ] {
        let Ok(endpoint) = Endpoint::from_shared(remote) else { panic!("{remote}") };
        let error = refused(endpoint.clone()).unwrap_or_else(|| panic!("{remote} is accepted"));
        assert_says(&error, &["is plaintext", "write `https://..`", "danger::PlaintextAllowed"]);
        let allowed = SecureEndpoint::from(PlaintextAllowed::new(endpoint));
        assert!(format!("{allowed:?}").contains("plaintext_allowed: true"));
        assert!(allowed.into_endpoint().is_ok(), "{remote}");
    }
    // Servers get the origin; the address is what is connected to.
    let origin = Endpoint::from_static("http://echo.example.com");
    let origin = origin.origin("https://echo.example.com".parse().unwrap());
    assert!(refused(origin).is_some());
}

#[test]
fn tls_is_applied_to_https_alone() {
    let tls = ClientTls::webpki_roots();
    assert!(tls.apply(Endpoint::from_static("https://echo.example.com")).is_ok());
    assert!(tls.apply(Endpoint::from_static("https://[::1]:443")).is_ok());
    for endpoint in ["http://echo.example.com", "http://127.0.0.1:1", "unix:/run/echo.sock"] {
        let error = tls.apply(Endpoint::from_shared(endpoint).unwrap()).unwrap_err();
        assert_says(&error, &["whose scheme is not https", "write `https://..`"]);
    }
}

/// Why this module asks for the scheme, and brings roots along.
#[tokio::test]
async fn tonic_has_no_tls_for_https_by_itself_and_ignores_it_for_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = endpoint("https", address).connect().await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "Connecting to HTTPS without TLS enabled");

    let (mut first, _) = listener.accept().await.unwrap();
    assert_eq!(first.read(&mut [0]).await.unwrap(), 0);
    let with_tls = endpoint("http", address).tls_config(Default::default()).unwrap();
    tokio::spawn(async move { with_tls.connect().await });
    let (mut second, _) = listener.accept().await.unwrap();
    let mut preface = [0; 14];
    second.read_exact(&mut preface).await.unwrap();
    assert_eq!(&preface, b"PRI * HTTP/2.0");
}

/// What makes this test another one, in a process of its own: roots come from its environment.
const CHILD: &str = "GRPC_AUTH_TEST_ADDRESS";

#[tokio::test]
async fn the_systems_roots_are_the_default_and_none_are_an_error() {
    if let Ok(address) = std::env::var(CHILD) {
        return believe_the_system(&address).await;
    }
    let folder = Folder::new();
    let ca = folder.ca("ca");
    let address = serve(&ca.server_tls().unwrap()).await;
    let empty = folder.0.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let run = |address: String, file: &Path| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args([
                "tls::transport::the_systems_roots_are_the_default_and_none_are_an_error",
                "--exact",
            ])
            .env(CHILD, address)
            .env("SSL_CERT_FILE", file)
            .env("SSL_CERT_DIR", &empty);
        tokio::task::spawn_blocking(move || child.output().unwrap())
    };
    for (address, file) in
        [(address.to_string(), ca.ca_file()), ("none".into(), folder.0.path().join("none.pem"))]
    {
        let output = run(address, &file).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}

async fn believe_the_system(address: &str) {
    if address == "none" {
        assert_says(
            &ClientTls::system().unwrap_err(),
            &["certificate store cannot be used: it is empty", "`ca-certificates`"],
        );
        let bare = Endpoint::from_static("https://echo.example.com");
        let error = SecureEndpoint::from(bare).into_endpoint().unwrap_err();
        return assert_says(&error, &["certificate store cannot be used: it is empty"]);
    }
    let address = address.parse().unwrap();
    assert_eq!(call(&ClientTls::system().unwrap(), address).await, Ok(()));
    let bare = SecureEndpoint::from(endpoint("https", address)).into_endpoint().unwrap();
    assert_eq!(call_over(bare.connect_lazy()).await, Ok(()));
    // What was applied is left alone.
    let own = ClientTls::webpki_roots().apply(endpoint("https", address)).unwrap();
    let own = SecureEndpoint::from(own).into_endpoint().unwrap();
    assert_refused(call_over(own.connect_lazy()).await, "UnknownIssuer");
}
