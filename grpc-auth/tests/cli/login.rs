//! `grpc-auth login`, then `token` and `logout`: for a person.

use std::time::Duration;

use grpc_auth::testing::{AuthorizationServer, Endpoint, Registration};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;

use crate::inspect::running_issuer;
use crate::program::{Ended, Folder, Program};

async fn issuer() -> AuthorizationServer {
    let issuer = running_issuer().await;
    issuer.register(
        Registration::public("orders-cli")
            .redirect_uri("http://127.0.0.1/callback")
            .scopes(["read:orders"])
            .always_refresh_tokens(),
    );
    issuer.add_user("alice", "wonderland");
    issuer
}

fn of_orders(command: &str, issuer: &AuthorizationServer, folder: &Folder) -> Program {
    Program::new([command, "--issuer", issuer.url(), "--client-id", "orders-cli"])
        .args(["--audience", AuthorizationServer::AUDIENCE, "--scope", "read:orders"])
        .state(folder)
}

/// What the person is told to do.
async fn instruction(child: &mut Child) -> Value {
    let mut line = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    BufReader::with_capacity(1, stderr).read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Does what a browser does with the address that it is sent to.
async fn visit(address: &str) -> String {
    let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    page
}

async fn log_in(issuer: &AuthorizationServer, folder: &Folder) -> Ended {
    let program = of_orders("login", issuer, folder).args(["--no-browser", "--json"]);
    let mut child = program.start().await;
    let asked = instruction(&mut child).await;
    assert_eq!(asked["event"], "open");
    let sent_to = issuer.approve_authorization(asked["url"].as_str().unwrap(), "alice");
    assert!(visit(&sent_to).await.starts_with("HTTP/1.1 200"));
    Ended::of(child).await
}

#[tokio::test]
async fn a_person_logs_in_gets_tokens_and_logs_out() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let ended = log_in(&issuer, &folder).await.succeeds();
    let said = ended.json();
    assert_eq!((&said["subject"], &said["can_renew"]), (&"alice".into(), &true.into()), "{said}");

    let first = of_orders("token", &issuer, &folder).run().await.succeeds().stdout;
    let second = of_orders("token", &issuer, &folder).run().await.succeeds().stdout;
    assert_eq!((first.clone(), issuer.requests(Endpoint::Token)), (second, 1));
    let program = Program::new(["inspect", "--issuer", issuer.url(), "--json", "--audience"]);
    let program = program.args([AuthorizationServer::AUDIENCE]).stdin(first);
    assert_eq!(program.run().await.succeeds().json()["verdict"]["subject"], "alice");
    let said = of_orders("token", &issuer, &folder).args(["--json"]).run().await.succeeds().json();
    assert_eq!((&said["source"], &said["kept"]), (&"login".into(), &Value::Null), "{said}");

    let ended = of_orders("logout", &issuer, &folder).args(["--json"]).run().await.succeeds();
    assert_eq!(ended.json()["logged_out"], "revoked");
    assert!(issuer.requests(Endpoint::Revocation) > 0);
    let ended = of_orders("token", &issuer, &folder).run().await;
    ended.fails(6, "help: run `grpc-auth login` with the same options");
    let ended = of_orders("logout", &issuer, &folder).run().await.succeeds();
    assert!(ended.stdout.starts_with("Not logged in: nobody was, with"), "{}", ended.stdout);
}

#[tokio::test]
async fn a_login_is_renewed_when_its_token_ends() {
    let (issuer, folder) = (issuer().await, Folder::new());
    issuer.set_token_lifetime(Duration::from_secs(20));
    log_in(&issuer, &folder).await.succeeds();
    let before = issuer.requests(Endpoint::Token);
    // It lives for less than is left to a token that is handed out.
    let first = of_orders("token", &issuer, &folder).run().await.succeeds().stdout;
    let second = of_orders("token", &issuer, &folder).run().await.succeeds().stdout;
    assert_ne!(first, second);
    let asked = issuer.requests(Endpoint::Token) - before;
    assert_eq!(asked, 2, "refresh tokens were rotated, and kept");

    issuer.refuse_tokens("invalid_grant");
    let ended = of_orders("token", &issuer, &folder).run().await;
    ended.fails(4, "help: log in again: `grpc-auth login` with the same options");
}

#[tokio::test]
async fn people_are_told_where_to_go_and_that_they_are_logged_in() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let mut child = of_orders("login", &issuer, &folder).args(["--no-browser"]).start().await;
    let mut lines = BufReader::with_capacity(1, child.stderr.as_mut().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert_eq!(first, "Open this address in a browser on this machine:");
    let url = lines.next_line().await.unwrap().unwrap();
    let sent_to = issuer.approve_authorization(url.trim(), "alice");
    visit(&sent_to).await;
    let ended = Ended::of(child).await.succeeds();
    assert!(
        ended.stdout.starts_with("Logged in as alice at http://127.0.0.1:"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("it is renewed when it is needed"), "{}", ended.stdout);
}

#[tokio::test]
async fn a_person_who_says_no_or_nothing_is_not_logged_in() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let program = of_orders("login", &issuer, &folder).args(["--no-browser", "--json"]);
    let mut child = program.start().await;
    let asked = instruction(&mut child).await;
    let sent_to = issuer.deny_authorization(asked["url"].as_str().unwrap());
    visit(&sent_to).await;
    let ended = Ended::of(child).await.fails(4, "access_denied");
    ended.json_error();

    let args = ["--no-browser", "--timeout", "1"];
    let ended = of_orders("login", &issuer, &folder).args(args).run().await;
    ended.fails(6, "nobody logged in within 1 s");
    let ended = of_orders("token", &issuer, &folder).run().await;
    ended.fails(6, "nobody is logged in");
}

#[tokio::test]
async fn a_code_is_typed_in_on_another_device() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let program = || of_orders("login", &issuer, &folder).args(["--device", "--json"]);
    let (mut allowed, mut denied) = (program().start().await, program().start().await);
    let (prompt, other) = (instruction(&mut allowed).await, instruction(&mut denied).await);
    assert_eq!(prompt["event"], "device");
    assert!(
        prompt["verification_uri"].as_str().unwrap().starts_with("http://127.0.0.1:"),
        "{prompt}"
    );
    issuer.approve_device(prompt["user_code"].as_str().unwrap(), "alice");
    issuer.deny_device(other["user_code"].as_str().unwrap());
    assert_eq!(Ended::of(allowed).await.succeeds().json()["subject"], "alice");
    Ended::of(denied).await.fails(4, "access_denied");
    // What one way brought, the commands find whichever way it was.
    of_orders("token", &issuer, &folder).run().await.succeeds();
}

#[tokio::test]
async fn a_login_that_cannot_work_is_refused_before_anybody_is_bothered() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let fails = async |program: Program, code, text| program.run().await.fails(code, text);
    fails(Program::new(["login"]), 2, "no authorization server is named").await;
    fails(Program::new(["login", "--issuer", issuer.url()]), 2, "no client is named").await;
    fails(Program::new(["logout"]), 2, "no authorization server is named").await;
    let login = || of_orders("login", &issuer, &folder);
    fails(login().args(["--timeout", "3601", "--no-browser"]), 2, "at most an hour").await;
    fails(login().args(["--device", "--no-browser"]), 2, "cannot be used with").await;
    fails(login().env("GRPC_AUTH_STATE_DIR", "/dev/null/state"), 1, "/dev/null/state").await;
    let unknown = Program::new(["login", "--device", "--issuer", issuer.url(), "--client-id", "x"]);
    fails(unknown.state(&folder), 4, "`invalid_client`").await;
    let gone = Program::new(["login", "--issuer", "http://127.0.0.1:1/", "--client-id", "x"]);
    fails(gone.args(["--no-browser"]).state(&folder), 5, "cannot be asked").await;
}
