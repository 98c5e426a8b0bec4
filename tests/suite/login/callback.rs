//! The port that a login opens: what it refuses, and what does not hinder it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::visit::{Shown, Visit};
use super::{Kit, in_time};

/// A request with this method, target and host, of the browser that began.
fn request(visit: &Visit, method: &str, target: &str, host: &str) -> String {
    let cookie = &visit.cookie;
    format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Length: 0\r\n\r\n"
    )
}

#[tokio::test]
async fn what_is_not_the_answer_is_refused_and_changes_nothing() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    let (host, state) = (visit.host(), visit.state());
    let port = visit.redirect_uri().port().unwrap();
    let path = visit.redirect_uri().path().to_owned();
    let good = format!("{path}?code=c-1&state={state}");
    let head = |method, target: &str, host: &str| request(&visit, method, target, host);
    let long = format!("GET {good} HTTP/1.1\r\nHost: {host}\r\ncookie: {}", "x".repeat(9000));
    let wrong = format!("{}x", &state[..state.len() - 1]);
    for (request, status, reason) in [
        (head("GET", &format!("{path}?code=c-1"), &host), 400, "it had no `state`"),
        (head("GET", &format!("{path}?code=c-1&state={wrong}"), &host), 403, "its `state` was not"),
        (
            head("GET", &format!("{path}?error=access_denied&state=x"), &host),
            403,
            "its `state` was not",
        ),
        (head("GET", &format!("{path}?error=access_denied"), &host), 400, "it had no `state`"),
        (head("GET", &format!("{path}?state={state}"), &host), 400, "neither `code` nor `error`"),
        (head("GET", &format!("{good}&error=e"), &host), 400, "both `code` and `error`"),
        (head("GET", &format!("{good}&code=c-2"), &host), 400, "stood there twice"),
        (head("GET", &format!("{good}&state={state}"), &host), 400, "stood there twice"),
        (head("GET", &good.replace(&path, "/"), &host), 404, "another path"),
        (head("GET", &good.replace(&path, &format!("{path}/")), &host), 404, "another path"),
        (head("GET", &good, &format!("localhost:{port}")), 421, "another host"),
        (head("GET", &good, "127.0.0.1"), 421, "another host"),
        (head("GET", &good, &format!("evil.example:{port}")), 421, "another host"),
        (head("POST", &good, &host), 405, "its method was not GET"),
        (head("HEAD", &good, &host), 405, "its method was not GET"),
        (head("GET", &good, &host).replace("Length: 0", "Length: 1"), 400, "it had a body"),
        ("nonsense\r\n\r\n".into(), 400, "no HTTP request"),
        (long, 431, "longer than 8 KiB"),
    ] {
        let shown = visit.send(&request).await;
        shown.says(status, reason);
        assert!(!shown.html.contains("c-1") && !shown.html.contains(state), "{}", shown.html);
    }
    assert!(kit.server.forms("/token").is_empty());
    visit.answer().await.says(200, "You are logged in");
    running.end().await.unwrap();
}

#[tokio::test]
async fn every_page_forbids_what_it_does_not_need() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    for shown in [visit.back("code=c-1").await, visit.answer().await] {
        for header in [
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "frame-ancestors 'none'",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "connection: close",
            "content-type: text/html; charset=utf-8",
        ] {
            assert!(shown.head.contains(header), "{header}: {}", shown.head);
        }
        assert!(shown.html.contains("<html lang=\"en\">") && shown.html.contains("<h1>"));
        assert!(!shown.html.contains("<script"));
    }
    running.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_comes_too_late_and_then_the_port_is_closed() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    // The token endpoint does not answer before the second hit did its worst.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (released, server) = (std::sync::Mutex::new(released), kit.server.clone());
    let (asked, mut on_asked) = tokio::sync::mpsc::unbounded_channel();
    kit.server.on("/token", move |form| {
        let _ = asked.send(());
        let released = released.lock().unwrap();
        tokio::task::block_in_place(|| released.recv().unwrap());
        server.grant(form)
    });
    let replay = async {
        in_time(on_asked.recv()).await;
        visit.answer().await.says(409, "answered before");
        visit
            .back(&format!("error=access_denied&state={}", visit.state()))
            .await
            .says(409, "before");
        release.send(()).unwrap();
    };
    let (first, ()) = in_time(async { tokio::join!(visit.answer(), replay) }).await;
    first.says(200, "You are logged in");
    running.end().await.unwrap();
    assert_eq!(kit.server.forms("/token").len(), 1);
    assert!(TcpStream::connect(visit.host()).await.is_err(), "the port is still open");
}

#[tokio::test]
async fn slow_and_silent_clients_do_not_hinder_the_browser() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    let mut slow = visit.connect().await;
    slow.write_all(format!("GET {}?code=c-1", visit.redirect_uri().path()).as_bytes())
        .await
        .unwrap();
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(visit.connect().await);
    }
    visit.answer().await.says(200, "You are logged in");
    running.end().await.unwrap();
}

#[tokio::test]
async fn the_oldest_of_too_many_connections_goes() {
    let kit = Kit::start().await;
    let (_running, visit) = kit.open(kit.login()).await;
    let mut oldest = visit.connect().await;
    let mut others = Vec::new();
    for _ in 0..32 {
        others.push(visit.connect().await);
    }
    assert_is_closed(&mut oldest).await;
    visit.back("").await.says(400, "it had no `state`");
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_is_not_waited_for() {
    let kit = Kit::start().await;
    let (_running, visit) = kit.open(kit.login()).await;
    let mut slow = visit.connect().await;
    slow.write_all(b"GET /").await.unwrap();
    // It is being read as soon as a later one was answered.
    visit.back("").await.says(400, "it had no `state`");
    kit.clock.advance(Duration::from_secs(11));
    assert_is_closed(&mut slow).await;
}

#[tokio::test]
async fn a_head_that_comes_in_pieces_is_read() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    let target = format!("{}?code=c-1&state={}", visit.redirect_uri().path(), visit.state());
    let request = request(&visit, "GET", &target, &visit.host());
    let mut stream = visit.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in request.as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    Shown::read(stream).await.says(200, "You are logged in");
    running.end().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_connections_ends_the_login() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    // The one that began it counts as well.
    for _ in 0..999 {
        drop(visit.connect().await);
    }
    assert!(running.error().await.contains("over 1,000 connections"));
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_five_minutes() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    kit.clock.advance(Duration::from_secs(299));
    visit.back(&format!("code=c-1&state={}", visit.nonce())).await.says(403, "its `state` was not");
    assert!(!running.task.is_finished());
    kit.clock.advance(Duration::from_secs(1));
    let error = running.error().await;
    assert!(error.starts_with("no login within 300 s"), "{error}");
    assert!(error.contains("its `state` was not the one of this login"), "{error}");
    assert!(TcpStream::connect(visit.host()).await.is_err(), "the port is still open");
}

#[tokio::test]
async fn a_login_that_is_dropped_closes_its_port() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    let mut open = visit.connect().await;
    running.task.abort();
    assert!(running.task.await.unwrap_err().is_cancelled());
    assert_is_closed(&mut open).await;
    in_time(async {
        while TcpStream::connect(visit.host()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn assert_is_closed(stream: &mut TcpStream) {
    let mut bytes = [0; 16];
    let read = in_time(stream.read(&mut bytes)).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}
