//! `grpc-auth login`, then `token` and `logout`: for a person.

use std::time::Duration;

use grpc_auth::testing::{ClientRegistration, Endpoint, TestAuthorizationServer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use url::Url;

use crate::inspect::running_issuer;
use crate::program::{Ended, Folder, Program};

async fn issuer() -> TestAuthorizationServer {
    let issuer = running_issuer().await;
    let host = issuer.url().trim_start_matches("http://").trim_end_matches('/');
    issuer.register(
        ClientRegistration::public("orders-cli")
            .redirect_uri(format!("http://127.0.0.1/callback/{host}"))
            .redirect_uri("http://127.0.0.1/back")
            .scopes(["read:orders"])
            .always_refresh_tokens(),
    );
    issuer.add_user("alice", "wonderland");
    issuer
}

fn of_orders(command: &str, issuer: &TestAuthorizationServer, folder: &Folder) -> Program {
    Program::new([command, "--issuer", issuer.url(), "--client-id", "orders-cli"])
        .args(["--audience", TestAuthorizationServer::AUDIENCE, "--scope", "read:orders"])
        .state(folder)
}

/// What the person is told to do.
async fn instruction(child: &mut Child) -> Value {
    let mut line = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    BufReader::with_capacity(1, stderr).read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Where they are to go.
fn address(asked: &Value) -> Url {
    asked["url"].as_str().unwrap().parse().unwrap()
}

async fn log_in(issuer: &TestAuthorizationServer, folder: &Folder) -> Ended {
    let program = of_orders("login", issuer, folder).args(["--no-browser", "--json"]);
    let mut child = program.start().await;
    let asked = instruction(&mut child).await;
    assert_eq!(asked["event"], "open");
    let page = issuer.approve_login(&address(&asked), "alice").await.unwrap();
    assert!(page.contains("You are logged in"), "{page}");
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
    let program = program.args([TestAuthorizationServer::AUDIENCE]).stdin(first);
    assert_eq!(program.run().await.succeeds().json()["verdict"]["subject"], "alice");
    let said = of_orders("token", &issuer, &folder).args(["--json"]).run().await.succeeds().json();
    assert_eq!((&said["source"], &said["kept"]), (&"login".into(), &Value::Null), "{said}");

    let ended = of_orders("logout", &issuer, &folder).args(["--json"]).run().await.succeeds();
    assert_eq!(ended.json()["logged_out"], "revoked");
    assert!(issuer.requests(Endpoint::Revocation) > 0);
    let ended = of_orders("token", &issuer, &folder).run().await;
    ended.fails(6, "help: run `grpc-auth login` with the same options");
    let ended = of_orders("logout", &issuer, &folder).run().await.succeeds();
    assert!(ended.stdout.starts_with("Not logged in: there was no login with"), "{}", ended.stdout);
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
    issuer.approve_login(&url.trim().parse().unwrap(), "alice").await.unwrap();
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
    issuer.deny_login(&address(&asked)).await.unwrap();
    let ended = Ended::of(child).await.fails(4, "access_denied");
    ended.json_error();

    let args = ["--no-browser", "--timeout", "1"];
    let ended = of_orders("login", &issuer, &folder).args(args).run().await;
    let ended = ended.fails(6, "no login within 1 s");
    let host = issuer.url().trim_start_matches("http://").trim_end_matches('/');
    let registered = format!("register `http://127.0.0.1/callback/{host}` for the client there");
    assert!(ended.stderr.contains(&registered), "{}", ended.stderr);
    let ended = of_orders("token", &issuer, &folder).run().await;
    ended.fails(6, "there is no login at");
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

/// What no browser may get.
#[cfg(unix)]
const HUNTER: &str = "hunter2";

/// A login whose browser is opened by a program that keeps its arguments.
#[cfg(unix)]
struct Opened {
    child: Child,
    /// What the person is shown.
    shown: Url,
    /// What the browser is opened with.
    file: Url,
    /// Where files may be made.
    temporary: std::path::PathBuf,
}

#[cfg(unix)]
async fn open(issuer: &TestAuthorizationServer, folder: &Folder) -> Opened {
    use std::os::unix::fs::PermissionsExt;

    let (arguments, temporary) = (folder.path("arguments"), folder.path("temporary"));
    std::fs::create_dir(&temporary).unwrap();
    let (kept, environment) = (arguments.display(), folder.path("environment"));
    let environment = environment.display();
    let script = format!(
        "#!/bin/sh\n/usr/bin/env > {environment}\n\
         echo \"$*\" > {kept}.new && /bin/mv {kept}.new {kept}\n"
    );
    let opener = folder.write("xdg-open", script);
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = of_orders("login", issuer, folder).args(["--json"]).env("PATH", folder.as_ref());
    let program = program.env("TMPDIR", &temporary).env("HOME", &temporary);
    let program = program.env("DISPLAY", ":7").env("XDG_SESSION_TYPE", "x11").env("LC_ALL", "C");
    let program = program.env("DATABASE_PASSWORD", HUNTER).env("GRPC_AUTH_SCOPE", HUNTER);
    let mut child = program.start().await;
    let shown = address(&instruction(&mut child).await);
    loop {
        if let Ok(opened) = std::fs::read_to_string(&arguments) {
            let file = opened.trim().parse().unwrap();
            return Opened { child, shown, file, temporary };
        }
        tokio::task::yield_now().await;
    }
}

/// The arguments of a process are everybody's to read.
#[cfg(unix)]
#[tokio::test]
async fn the_browser_is_opened_with_a_file_of_the_persons_own_and_nothing_else() {
    use std::os::unix::fs::MetadataExt;

    let (issuer, folder) = (issuer().await, Folder::new());
    let Opened { child, shown, file, temporary } = open(&issuer, &folder).await;
    let secret = shown.path_segments().unwrap().next_back().unwrap();
    assert!(!file.as_str().contains(secret) && file.query().is_none(), "{file}");
    let path = file.to_file_path().unwrap();
    assert!(path.starts_with(&temporary), "{file}");
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o7777, 0o700);

    let page = issuer.approve_login(&file, "alice").await.unwrap();
    assert!(page.contains("You are logged in"), "{page}");
    Ended::of(child).await.succeeds();
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "something is left over");
}

/// Whatever the browser is started with, its extensions and helpers get as well.
#[cfg(unix)]
#[tokio::test]
async fn the_browser_gets_nothing_of_the_programs_environment_but_what_desktops_need() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let Opened { child, temporary, .. } = open(&issuer, &folder).await;
    let environment = std::fs::read_to_string(folder.path("environment")).unwrap();
    for secret in [HUNTER, "DATABASE_PASSWORD", "GRPC_AUTH", TestAuthorizationServer::AUDIENCE] {
        assert!(!environment.contains(secret), "{secret}: {environment}");
    }
    let home = format!("HOME={}", temporary.display());
    for line in [&*home, "DISPLAY=:7", "XDG_SESSION_TYPE=x11", "LC_ALL=C"] {
        assert!(environment.lines().any(|own| own == line), "{line}: {environment}");
    }
    drop(child);
}

#[tokio::test]
async fn a_client_that_is_registered_with_another_path_says_so() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let program = of_orders("login", &issuer, &folder);
    let program = program.args(["--no-browser", "--json", "--callback-path", "/back"]);
    let mut child = program.start().await;
    let asked = instruction(&mut child).await;
    assert!(address(&asked).path().starts_with("/back/"), "{asked}");
    issuer.approve_login(&address(&asked), "alice").await.unwrap();
    Ended::of(child).await.succeeds();
    let wrong = of_orders("login", &issuer, &folder).args(["--callback-path", "back"]);
    wrong.run().await.fails(2, "callback_path");
}

#[cfg(unix)]
#[tokio::test]
async fn a_login_that_is_interrupted_leaves_nothing_behind() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let Opened { child, temporary, .. } = open(&issuer, &folder).await;
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 1);
    let id = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    Ended::of(child).await.fails(1, "interrupted while the login was under way");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "something is left over");
}
