//! A person's login, where it is kept, and its end.

use std::pin::pin;

use grpc_auth::ClientAuthentication;
use grpc_auth::client::OAuthClient;
use grpc_auth::login::TokenStore;
use grpc_auth::testing::{ClientRegistration, Endpoint, Fault, TestAuthorizationServer};
use serde_json::Value;
use tests::callers::settle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;
use url::Url;

use super::Seen;
use crate::client::token_source::Directory;

/// The person's browser begins, they agree, and it is sent back.
async fn agree(seen: &Seen, issuer: &TestAuthorizationServer, opened: &Url) {
    seen.shows("what the browser is opened with", opened.as_str());
    let file = std::fs::read_to_string(opened.to_file_path().unwrap()).unwrap();
    let (_, rest) = file.split_once("url=").unwrap();
    let start: Url = rest.split('"').next().unwrap().parse().unwrap();
    seen.secret("where a login begins", start.path_segments().unwrap().next_back().unwrap());
    let (head, _) = get(&start, "").await;
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split(';').next().unwrap()
    };
    let cookie = header("set-cookie: ");
    seen.secret("a login's cookie", cookie.split_once('=').unwrap().1);

    let asked: Url = header("location: ").parse().unwrap();
    let value = |url: &Url, name: &str| -> String {
        let found = url.query_pairs().find(|(own, _)| own == name);
        found.map(|(_, value)| value.into_owned()).unwrap()
    };
    for name in ["state", "nonce", "code_challenge"] {
        seen.secret(name, value(&asked, name));
    }
    let back = Url::parse(&issuer.approve_authorization(asked.as_str(), "alice")).unwrap();
    seen.secret("a code", value(&back, "code"));
    let (_, page) = get(&back, cookie).await;
    seen.shows("the last page", page);
}

/// The head of an answer, and all of it.
async fn get(url: &Url, cookie: &str) -> (String, String) {
    let host = format!("127.0.0.1:{}", url.port().unwrap());
    let mut stream = TcpStream::connect(&host).await.unwrap();
    let target = &url[url::Position::BeforePath..];
    let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    (all.split_once("\r\n\r\n").unwrap().0.into(), all)
}

/// What the file of the login holds is its owner's alone.
fn kept(seen: &Seen, store: &TokenStore) {
    let files = std::fs::read_dir(store.directory()).unwrap().map(|file| file.unwrap().path());
    let mut files = files.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    let login: Value =
        serde_json::from_slice(&std::fs::read(files.next().unwrap()).unwrap()).unwrap();
    seen.token("a kept token", login["access_token"].as_str().unwrap().into());
    seen.secret("a kept refresh token", login["refresh_token"].as_str().unwrap());
}

pub(super) async fn login(seen: &Seen) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let client = OAuthClient::oidc(issuer.url(), ClientAuthentication::none("cli"));
    let program =
        ClientRegistration::public("cli").redirect_uri(client.login().redirect_uri().unwrap());
    issuer.register(program.scopes(["read:word"]).always_refresh_tokens());
    let directory = Directory::new("seen-login");
    let store = TokenStore::at(directory.0.join("logins"));
    let ticket = seen.secret("a parameter", "canary-login-parameter");
    let (opened, mut visits) = unbounded_channel();
    let login = client
        .clock(issuer.clock().clone())
        .login()
        .scopes(["read:word"])
        .audience(TestAuthorizationServer::AUDIENCE)
        .parameter("ticket", ticket)
        .store(store.clone())
        .browser(move |url| {
            let _ = opened.send(url.clone());
            Ok(())
        });
    seen.debug("a login", &login);
    for fault in [Some(Fault::Status(500)), Some(Fault::Html), None] {
        if let Some(fault) = fault {
            issuer.fail(Endpoint::Token, fault);
        }
        let mut running = pin!(login.run());
        let asked = tokio::select! {
            outcome = &mut running => panic!("no browser was opened: {outcome:?}"),
            asked = visits.recv() => asked.unwrap(),
        };
        let (outcome, ()) = tokio::join!(running, agree(seen, &issuer, &asked));
        issuer.heal();
        match (fault, outcome) {
            (None, Ok(logged_in)) => seen.debug("who is logged in", &logged_in),
            (Some(_), Err(error)) => seen.error("a login that failed", &error),
            (fault, outcome) => panic!("{fault:?}: {outcome:?}"),
        }
    }
    kept(seen, &store);

    let stored = login.load().await.unwrap().unwrap();
    seen.debug("a kept login", &stored);
    for fault in [None, Some(Fault::Status(500))] {
        if let Some(fault) = fault {
            issuer.fail(Endpoint::Token, fault);
        }
        issuer.clock().advance(TestAuthorizationServer::TOKEN_LIFETIME);
        match stored.tokens().token().await {
            Ok(token) => seen.debug("a renewed token", &token),
            Err(error) => seen.error("a login that is not renewed", &error),
        }
        kept(seen, &store);
        seen.debug("a source of a login", &stored.tokens());
    }
    issuer.heal();
    seen.debug("a logout", &login.log_out().await.unwrap());
    settle().await;
}
