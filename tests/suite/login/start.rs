//! Where a login begins: what the browser is opened with, and which browser may end it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use tokio::sync::mpsc::unbounded_channel;
use url::Url;

use super::visit::{Start, Visit};
use super::{Kit, Running, in_time};

/// The arguments of a process are everybody's to read.
#[tokio::test]
async fn what_the_browser_is_opened_with_holds_nothing_of_the_login() {
    let kit = Kit::start().await;
    let mut running = Running::start(kit.login());
    let opened = running.opened().await;
    let path = opened.to_file_path().unwrap();
    let folder = path.parent().unwrap().to_owned();
    for (path, mode) in [(&path, 0o600), (&folder, 0o700)] {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, mode, "{}", path.display());
    }
    let start = Start::in_file(&opened);
    let visit = start.begin().await;
    kit.server.expect_nonce(visit.nonce());
    // A browser that comes late finds it as well, and so is seen to come.
    assert!(path.exists());
    visit.answer().await.says(200, "You are logged in");
    running.end().await.unwrap();
    assert!(!folder.exists());

    let form = &kit.server.forms("/token")[0];
    let (name, cookie) = visit.cookie.split_once('=').unwrap();
    let (_, own) = start.url.path().rsplit_once('/').unwrap();
    assert_eq!((own.len(), cookie.len()), (43, 43));
    for secret in [
        visit.state(),
        visit.nonce(),
        visit.get("code_challenge").unwrap(),
        &form["code_verifier"],
        own,
        cookie,
    ] {
        assert!(!opened.as_str().contains(secret), "{opened}");
    }
    assert!(!opened.as_str().contains(&visit.host()) && name.starts_with("grpc-auth-login-"));
}

#[tokio::test]
async fn the_file_is_gone_however_the_login_ends() {
    let kit = Kit::start().await;
    let folder = |opened: &Url| opened.to_file_path().unwrap().parent().unwrap().to_owned();
    let mut dropped = Running::start(kit.login());
    let of_dropped = folder(&dropped.opened().await);
    dropped.task.abort();
    dropped.task.await.unwrap_err();
    assert!(!of_dropped.exists());

    let mut late = Running::start(kit.login());
    let of_late = folder(&late.opened().await);
    kit.clock.advance(std::time::Duration::from_secs(300));
    assert!(late.error().await.starts_with("no login within"));
    assert!(!of_late.exists());

    let mut denied = Running::start(kit.login());
    let opened = denied.opened().await;
    let visit = Start::in_file(&opened).begin().await;
    visit.back(&format!("error=access_denied&state={}", visit.state())).await.says(400, "denied");
    denied.end().await.unwrap_err();
    assert!(!folder(&opened).exists());
}

#[tokio::test]
async fn the_start_sends_a_browser_on_and_gives_it_a_cookie() {
    let kit = Kit::start().await;
    let login = kit.login().callback_path("/oauth2/cb");
    let mut running = Running::start(login.timeout(std::time::Duration::from_secs(90)));
    let start = Start::in_file(&running.opened().await);
    assert!(start.url.path().starts_with("/oauth2/cb/"), "{}", start.url);
    let shown = start.open("a=b").await;
    let visit = Visit::sent(&shown);
    let attributes = shown.header("set-cookie").unwrap().split_once("; ").unwrap().1;
    assert_eq!(attributes, "Path=/oauth2/cb; Max-Age=90; HttpOnly; SameSite=Lax");
    for header in ["cache-control: no-store", "referrer-policy: no-referrer"] {
        assert!(shown.head.contains(header), "{}", shown.head);
    }
    // The same browser, where the person opens the address that was announced as well.
    let again = Visit::sent(&start.open(&visit.cookie).await);
    assert_eq!((again.state(), &again.cookie), (visit.state(), &visit.cookie));

    kit.server.expect_nonce(visit.nonce());
    visit.answer().await.says(200, "You are logged in");
    running.end().await.unwrap();
}

#[tokio::test]
async fn what_is_not_the_start_begins_nothing() {
    let kit = Kit::start().await;
    let mut running = Running::start(kit.login());
    let start = Start::in_file(&running.opened().await);
    let (host, path) = (start.host(), start.url.path().to_owned());
    let port = start.url.port().unwrap();
    let wrong = format!("{}x", &path[..path.len() - 1]);
    for (head, status, reason) in [
        (format!("GET {path} HTTP/1.1\r\nHost: evil.example:{port}"), 421, "another host"),
        (format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}"), 421, "another host"),
        (format!("GET {wrong} HTTP/1.1\r\nHost: {host}"), 404, "another path"),
        (format!("GET {path}/ HTTP/1.1\r\nHost: {host}"), 404, "another path"),
        (format!("GET / HTTP/1.1\r\nHost: {host}"), 404, "another path"),
        (format!("POST {path} HTTP/1.1\r\nHost: {host}"), 405, "not GET"),
        (format!("HEAD {path} HTTP/1.1\r\nHost: {host}"), 405, "not GET"),
    ] {
        let shown = super::visit::send(&host, &format!("{head}\r\n\r\n")).await;
        shown.says(status, reason);
        assert_eq!((shown.header("location"), shown.header("set-cookie")), (None, None));
    }
    let visit = start.begin().await;
    kit.server.expect_nonce(visit.nonce());
    visit.answer().await.says(200, "You are logged in");
    running.end().await.unwrap();
}

/// An attacker who has `state` and a code of their own, but not the cookie.
#[tokio::test]
async fn the_answer_of_another_browser_is_refused_and_changes_nothing() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    let (_other, others) = kit.open(kit.login()).await;
    let name = visit.cookie.split_once('=').unwrap().0;
    let others = others.cookie.split_once('=').unwrap().1;
    let theirs = format!("code=theirs&state={}", visit.state());
    let error = format!("error=access_denied&state={}", visit.state());
    for cookie in [String::new(), format!("{name}={others}"), format!("{name}=")] {
        for query in [&theirs, &error] {
            let shown = visit.back_with(&cookie, query).await;
            shown.says(403, "it did not come from the browser that began this login");
        }
    }
    assert!(kit.server.forms("/token").is_empty());
    kit.server.expect_nonce(visit.nonce());
    visit.answer().await.says(200, "You are logged in");
    running.end().await.unwrap();
    assert_eq!(kit.server.forms("/token")[0]["code"], "c-1");
}

/// The program cannot know which of them is the person's.
#[tokio::test]
async fn a_second_browser_at_the_start_ends_the_login() {
    let kit = Kit::start().await;
    let mut running = Running::start(kit.login());
    let start = Start::in_file(&running.opened().await);
    let first = start.begin().await;
    let second = start.open("grpc-auth-login-1=other").await;
    second.says(409, "You are not logged in");
    second.says(409, "the login was opened in two browsers");
    assert_eq!((second.header("location"), second.header("set-cookie")), (None, None));
    let error = running.error().await;
    assert!(
        error.starts_with("the login was opened in two browsers, so the login failed"),
        "{error}"
    );
    assert!(tokio::net::TcpStream::connect(first.host()).await.is_err(), "the port is still open");
    assert!(kit.server.forms("/token").is_empty());
}

/// The faster one may be an attacker's, who is logged in there already.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_browser_that_comes_while_the_code_is_redeemed_ends_the_login() {
    let kit = Kit::start().await;
    let mut running = Running::start(kit.login());
    let start = Start::in_file(&running.opened().await);
    let first = start.begin().await;
    kit.server.expect_nonce(first.nonce());
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (released, server) = (Mutex::new(released), kit.server.clone());
    let (asked, mut on_asked) = unbounded_channel();
    kit.server.on("/token", move |form| {
        let _ = asked.send(());
        let released = released.lock().unwrap();
        tokio::task::block_in_place(|| released.recv().unwrap());
        server.grant(form)
    });
    let second = async {
        in_time(on_asked.recv()).await;
        start.open("").await.says(409, "the login was opened in two browsers");
        // The first one comes too late, too.
        first.answer().await.says(409, "the login was opened in two browsers");
        release.send(()).unwrap();
    };
    let (shown, ()) = in_time(async { tokio::join!(first.answer(), second) }).await;
    shown.says(400, "the login was opened in two browsers");
    let error = running.error().await;
    assert!(error.starts_with("the login was opened in two browsers"), "{error}");
    // The granted token is revoked.
    let revoked = kit.server.forms("/revoke");
    let revoked: Vec<_> = revoked.iter().map(|form| &*form["token"]).collect();
    assert_eq!(revoked, ["rt-1", "at-1"]);
}
