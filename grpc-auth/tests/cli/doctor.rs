//! `grpc-auth doctor`: the report for people and programs, and an exit code for each class.

use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
use grpc_auth::testing::TestAuthorizationServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

use crate::inspect::running_issuer;
use crate::program::{Folder, Program};

const HEALTH: ServicePolicy = ServicePolicy::new(
    "grpc.health.v1.Health",
    &[MethodPolicy::new("Check", AccessRule::Authenticated)],
);

/// A health service without TLS that wants a token of this issuer.
pub(crate) async fn protected_health(issuer: &TestAuthorizationServer) -> u16 {
    let auth = issuer.resource_server().build().await.unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let service = auth.protect_with(health, HEALTH).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    port
}

/// What answers every connection with these bytes.
pub(crate) async fn answering(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_connection_that_works_is_healthy_and_a_token_shows_whether_it_passes() {
    let issuer = running_issuer().await;
    let endpoint = format!("http://127.0.0.1:{}", protected_health(&issuer).await);

    let ended = Program::new(["doctor", &endpoint]).run().await.succeeds();
    assert!(ended.stdout.contains("\nhealthy: "), "{}", ended.stdout);
    assert!(ended.stdout.contains("UNAUTHENTICATED"), "{}", ended.stdout);

    let token = issuer.token().sign();
    let program = Program::new(["doctor", &endpoint, "--json", "--token-file", "-"]);
    let ended = program.stdin(format!("Bearer {token}\n")).run().await.succeeds();
    let report = ended.json();
    assert_eq!(
        (&report["healthy"], &report["code"]),
        (&true.into(), &"healthy".into()),
        "{report}"
    );
    assert_eq!(report["facts"]["grpc_status"], 0, "{report}");
    assert!(!ended.everything().contains(&token));

    let program = Program::new(["doctor", &endpoint, "--json", "--method", "no.Such/Method"]);
    let report = program.run().await.succeeds().json();
    assert_eq!(report["facts"]["grpc_status"], 12, "{report}");
}

#[tokio::test]
async fn each_class_has_its_exit_code_and_says_what_to_do() {
    let issuer = running_issuer().await;
    let grpc = protected_health(&issuer).await;
    let http1 = answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for (endpoint, exit_code, code, fix) in [
        (
            format!("https://127.0.0.1:{grpc}"),
            20,
            "plaintext-on-tls-port",
            "Write `http://127.0.0.1",
        ),
        (format!("http://127.0.0.1:{http1}"), 42, "http1-answer", "Switch HTTP/2 on there"),
        (format!("http://127.0.0.1:{gone}"), 12, "connection-refused", "Start the server"),
    ] {
        let ended = Program::new(["doctor", &endpoint]).run().await;
        assert_eq!((ended.code, &*ended.stderr), (exit_code, ""), "{ended:?}");
        assert!(ended.stdout.contains(&format!("\n{code}: ")), "{}", ended.stdout);
        assert!(ended.stdout.contains(&format!("\nfix: {fix}")), "{}", ended.stdout);
        let ended = Program::new(["doctor", &endpoint, "--json"]).run().await;
        let report = ended.json();
        assert_eq!((ended.code, &report["code"]), (exit_code, &code.into()));
        assert_eq!(report["exit_code"], exit_code);
        assert!(report["fix"].as_str().unwrap().starts_with(fix), "{report}");
    }
}

/// As in images without `ca-certificates`.
#[tokio::test]
async fn a_machine_that_trusts_nobody_is_told_so() {
    let folder = Folder::new();
    let nothing = folder.write("nothing.pem", "");
    let endpoint = format!("https://127.0.0.1:{}", answering("").await);
    let program = || Program::new(["doctor", &endpoint]).env("SSL_CERT_FILE", &nothing);
    let ended = program().run().await;
    assert_eq!((ended.code, &*ended.stderr), (35, ""), "{ended:?}");
    assert!(
        ended.stdout.contains("\nno-roots: This machine's certificate store is empty"),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("\nfix: Install the package `ca-certificates`"), "{ended:?}");
    let report = program().args(["--json"]).run().await.json();
    assert_eq!((&report["code"], &report["exit_code"]), (&"no-roots".into(), &35.into()));
    let steps: Vec<_> =
        report["steps"].as_array().unwrap().iter().map(|step| &step["passed"]).collect();
    assert_eq!(steps, [true, true, false]);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_asked() {
    let folder = Folder::new();
    let junk = folder.write("junk.pem", "junk");
    let here = "https://127.0.0.1:1";
    for (args, code, text) in [
        (vec!["echo.example.com"], 2, "like `https://echo.example.com:443`"),
        (vec!["https://a:hunter2@echo.example.com"], 2, "has a user or a password in it"),
        (vec![here, "--method", "Check"], 2, "write service and method"),
        (vec![here, "--ca", "/nowhere"], 2, "/nowhere"),
        (vec![here, "--ca", &junk], 2, "junk.pem"),
        (vec![here, "--cert", &junk], 2, "--key"),
        (vec![here, "--timeout", "0"], 2, "0 is not in 1..=9"),
        (vec![here, "--token-file", "/nowhere"], 1, "the token cannot be read from the file"),
        (vec![here, "--token-file", "-"], 2, "what is there is no token"),
        (vec![here, "--token", "hunter2"], 2, "`--token` is not taken"),
        (vec![here, "--token=hunter2"], 2, "and replace the one that was just shown"),
        (vec![], 2, "<ENDPOINT>"),
    ] {
        let program = || Program::new(["doctor"]).args(args.iter().copied()).stdin("two words");
        let ended = program().run().await.fails(code, text);
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
        program().args(["--json"]).run().await.fails(code, "").json_error();
    }
}

#[tokio::test]
async fn what_a_server_sends_does_nothing_to_the_terminal() {
    let port =
        answering("HTTP/1.1 200 \u{1b}[2J\u{9b}31m\u{202e}\r\nserver: \u{1b}[2J\r\n\r\n").await;
    for args in [&["--json"][..], &[]] {
        let endpoint = format!("http://127.0.0.1:{port}");
        let ended = Program::new(["doctor", &endpoint]).args(args.iter().copied()).run().await;
        assert_eq!(ended.code, 42, "{ended:?}");
        let is_harmless = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(ended.everything().chars().all(is_harmless), "{ended:?}");
    }
}
