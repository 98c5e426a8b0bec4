//! Tokens that are not granted but found: in a file, in the configuration, by a function. And
//! settings of clients that cannot work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use grpc_auth::client::{AccessToken, ClientCredentials, OAuthClient, TokenError, TokenSource};
use grpc_auth::testing::{Endpoint, Fault, ManualClock, TestAuthorizationServer};
use grpc_auth::{Auth0Config, BearerToken, ClientAuthentication, ConfigError};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tests::block_on;
use tests::callers::until;
use tests::logs::Logs;

use crate::client::token_source::Directory;

const SECOND: Duration = Duration::from_secs(1);

async fn text(tokens: &TokenSource) -> String {
    tokens.token().await.unwrap().token().expose_secret().to_owned()
}

#[tokio::test]
async fn a_file_that_is_written_anew_is_read_again_within_a_minute() {
    let directory = Directory::new("file");
    let path = directory.write("token", "first\n");
    let clock = ManualClock::new();
    let tokens = TokenSource::file(&path).unwrap().with_clock(clock.clone());
    let first = tokens.token().await.unwrap();
    directory.write("token", " second\n");
    clock.advance(29 * SECOND);
    assert!(Arc::ptr_eq(&first, &tokens.token().await.unwrap()));
    clock.advance(31 * SECOND);
    assert_eq!(text(&tokens).await, "second");
    // As long as nothing is written, it is one and the same.
    let second = tokens.token().await.unwrap();
    for _ in 0..10 {
        clock.advance(60 * SECOND);
        assert!(Arc::ptr_eq(&second, &tokens.token().await.unwrap()));
    }
}

#[tokio::test]
async fn a_file_that_is_gone_or_garbage_changes_nothing_while_its_token_is_valid() {
    let directory = Directory::new("garbage");
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let jwt = |seconds: u32| issuer.token().expires_in(seconds * SECOND).sign();
    let good = jwt(600);
    let path = directory.write("token", &good);
    let tokens = TokenSource::file(&path).unwrap().with_clock(issuer.clock().clone());
    assert_eq!(text(&tokens).await, good);
    for garbage in ["two words", "", &"a".repeat(70_000)] {
        directory.write("token", garbage);
        issuer.clock().advance(60 * SECOND);
        assert_eq!(text(&tokens).await, good);
    }
    std::fs::remove_file(&path).unwrap();
    issuer.clock().advance(60 * SECOND);
    assert_eq!(text(&tokens).await, good);
    issuer.clock().advance(360 * SECOND);
    let logs = Logs::capture();
    let error = tokens.token().await.unwrap_err();
    assert!(matches!(&error, TokenError::File { path: found, .. } if *found == path), "{error}");
    assert!(!error.is_permanent());
    assert!(logs.line_with("a token could not be renewed").contains("cannot be used"));

    // An expired one is not used.
    directory.write("token", &issuer.token().expired().sign());
    issuer.clock().advance(30 * SECOND);
    let error = tokens.token().await.unwrap_err().to_string();
    assert!(error.contains("the token in it has expired"), "{error}");
    let next = issuer.token().expires_in(600 * SECOND).sign();
    directory.write("token", &next);
    issuer.clock().advance(30 * SECOND);
    assert_eq!(text(&tokens).await, next);
}

/// Of whatever was put there by mistake, a little is read.
#[cfg(unix)]
#[test]
fn a_file_without_an_end_holds_no_token() {
    let error = format!("{:?}", TokenSource::file("/dev/zero").unwrap_err());
    assert!(error.contains("it holds no token"), "{error}");
}

#[tokio::test]
async fn a_file_is_read_before_its_token_expires() {
    let directory = Directory::new("short");
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let jwt = || issuer.token().expires_in(20 * SECOND).sign();
    let path = directory.write("token", &jwt());
    let tokens = TokenSource::file(path).unwrap().with_clock(issuer.clock().clone());
    tokens.token().await.unwrap();
    for _ in 0..5 {
        issuer.clock().advance(16 * SECOND);
        let next = jwt();
        directory.write("token", &next);
        assert_eq!(text(&tokens).await, next);
    }
}

#[test]
fn a_file_without_a_token_is_a_mistake_in_the_configuration() {
    let directory = Directory::new("mistakes");
    let garbage = directory.write("garbage", "two words");
    for path in [directory.0.join("nowhere"), directory.0.clone(), garbage] {
        let error = TokenSource::file(&path).unwrap_err();
        assert!(
            matches!(error, ConfigError::File { expected: "a file with the token", .. }),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("two words"));
    }
}

#[tokio::test]
async fn a_fixed_token_is_not_sent_once_it_has_expired() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let jwt = issuer.token().expires_in(60 * SECOND).sign();
    let tokens = TokenSource::static_token(BearerToken::parse(&jwt).unwrap());
    let tokens = tokens.with_clock(issuer.clock().clone());
    issuer.clock().advance(59 * SECOND);
    assert_eq!(text(&tokens).await, jwt);
    issuer.clock().advance(SECOND);
    for _ in 0..2 {
        let error = tokens.token().await.unwrap_err();
        assert!(matches!(error, TokenError::Expired { .. }), "{error}");
        assert!(error.is_permanent());
    }
    let opaque = TokenSource::static_token(BearerToken::parse("opaque").unwrap());
    let opaque = opaque.with_clock(issuer.clock().clone());
    issuer.clock().advance(10_000_000 * SECOND);
    assert_eq!(text(&opaque).await, "opaque");
}

#[tokio::test]
async fn a_function_is_asked_when_its_token_expires_and_no_sooner() {
    let clock = ManualClock::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let tokens = TokenSource::from_fn({
        let asked = Arc::clone(&asked);
        move || {
            let number = asked.fetch_add(1, SeqCst);
            async move {
                let token = BearerToken::parse(&format!("token-{number}")).ok_or("no token")?;
                Ok::<_, &str>(AccessToken::bearer(token))
            }
        }
    });
    let tokens = tokens.with_clock(clock.clone());
    assert_eq!(text(&tokens).await, "token-0");
    // No lifetime is given: 300 s, in the last 10 of which a call waits for another.
    clock.advance(239 * SECOND);
    assert_eq!(text(&tokens).await, "token-0");
    clock.advance(51 * SECOND);
    assert_eq!(text(&tokens).await, "token-1");
    assert_eq!(asked.load(SeqCst), 2);
}

#[tokio::test]
async fn a_function_that_fails_panics_or_hangs_is_said_so_and_asked_again() {
    let clock = ManualClock::new();
    let turn = Arc::new(AtomicUsize::new(0));
    let tokens = TokenSource::from_fn({
        let (turn, clock) = (Arc::clone(&turn), clock.clone());
        move || {
            let (turn, now) = (turn.fetch_add(1, SeqCst), clock.now());
            async move {
                let token = || AccessToken::bearer(BearerToken::parse("good").unwrap());
                match turn {
                    0 => Err("the vault is sealed".into()),
                    1 => panic!("for the test"),
                    2 => Ok(token().expiring_at(now)),
                    3 => Err(TokenError::Expired { help: "log in" }.into()),
                    4 => std::future::pending().await,
                    _ => Ok::<_, Box<dyn std::error::Error + Send + Sync>>(token()),
                }
            }
        }
    });
    let tokens = tokens.with_clock(clock.clone());
    let failed = async || {
        clock.advance(30 * SECOND);
        tokens.token().await.unwrap_err()
    };
    let error = failed().await;
    assert!(matches!(&error, TokenError::Custom(cause) if cause.to_string().contains("sealed")));
    assert!(matches!(failed().await, TokenError::GivenUp));
    let error = failed().await;
    assert!(matches!(&error, TokenError::Custom(cause) if cause.to_string().contains("expired")));
    // Sources of sources: what they say stays what it is.
    assert!(failed().await.is_permanent());
    let hangs = tokio::spawn({
        let tokens = tokens.clone();
        clock.advance(30 * SECOND);
        async move { tokens.token().await }
    });
    until("it is asked", async || turn.load(SeqCst) == 5).await;
    tests::callers::settle().await;
    clock.advance(30 * SECOND);
    let error = hangs.await.unwrap().unwrap_err();
    assert!(!error.is_permanent(), "{error}");
    clock.advance(30 * SECOND);
    assert_eq!(text(&tokens).await, "good");
}

#[test]
fn settings_that_cannot_work_are_named() {
    let basic = || ClientAuthentication::client_secret_basic("orders", "s3cret");
    let client = || OAuthClient::oidc("https://issuer.example.com", basic());
    let exchange =
        |token: &str| client().token_exchange(grpc_auth::client::SubjectToken::jwt(token)).build();
    let credentials = || client().client_credentials();
    for (built, text) in [
        (credentials().scopes(["a b"]).build(), "`scopes`"),
        (credentials().scopes([""]).build(), "`scopes`"),
        (credentials().audience("").build(), "`audience`"),
        (credentials().organization("").build(), "`organization`"),
        (credentials().resource("echo").build(), "`resource`"),
        (credentials().resource("https://a.example/#b").build(), "RFC 8707"),
        (credentials().parameter("grant_type", "password").build(), "`parameter`"),
        (credentials().parameter("client_secret", "x").build(), "`parameter`"),
        (credentials().parameter("", "x").build(), "`parameter`"),
        (exchange(""), "`token`"),
        (client().refresh_token("").build(), "`token`"),
        (client().timeout(Duration::ZERO).client_credentials().build(), "`timeout`"),
        (client().timeout(31 * SECOND).client_credentials().build(), "`timeout`"),
        (client().connect_timeout(Duration::ZERO).client_credentials().build(), "connect_timeout"),
        (ClientCredentials::oidc("http://issuer.example.com", basic()).build(), "not https"),
        (
            ClientCredentials::oidc("https://i.example", ClientAuthentication::none("app")).build(),
            "a public client gets no tokens of its own",
        ),
        (
            ClientCredentials::oidc(
                "https://i.example",
                ClientAuthentication::tls_client_auth("a"),
            )
            .build(),
            "`tls_client_auth` shows a certificate",
        ),
        (ClientCredentials::auth0("https://tenant.eu.auth0.com", "id", "secret").build(), "domain"),
        (ClientCredentials::auth0("tenant.eu.auth0.com", "", "secret").build(), "client_id"),
        (ClientCredentials::auth0("tenant.eu.auth0.com", "id", "").build(), "client_secret"),
        (
            OAuthClient::token_endpoint("https://a:b@as.example/token", basic())
                .client_credentials()
                .build(),
            "user or a password",
        ),
    ] {
        let error = built.unwrap_err().to_string();
        assert!(error.contains(text), "{text}: {error}");
    }
    for (refused, text) in [
        (client().on_behalf_of(|r| r.scopes(["a b"])).map(drop), "`scopes`"),
        (client().on_behalf_of(|r| r).unwrap().max_callers(0).map(drop), "`max_callers`"),
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(text), "{text}: {error}");
    }
    let mut stolen = None;
    client()
        .on_behalf_of(|request| {
            stolen = Some(request.clone());
            request
        })
        .unwrap();
    let error = stolen.unwrap().build().unwrap_err().to_string();
    assert!(error.contains("`on_behalf_of` builds it"), "{error}");
    // A public client refreshes what its user granted.
    let public = OAuthClient::oidc("https://i.example", ClientAuthentication::none("app"));
    public.refresh_token("granted").build().unwrap();
}

#[test]
fn auth0_without_an_audience_is_warned_of_once() {
    let logs = Logs::capture();
    let lines = || logs.text().matches("no audience is asked for").count();
    let request = |id: &str| ClientCredentials::auth0("tenant.eu.auth0.com", id, "s3cret");
    let tokens = request("a").build().unwrap();
    assert_eq!(lines(), 1);
    let client = ClientAuthentication::client_secret_post("b", "s3cret");
    let client = OAuthClient::auth0("tenant.eu.auth0.com", client);
    let sources = [(); 3].map(|()| client.client_credentials().build().unwrap());
    assert_eq!(lines(), 2);
    let line = logs.text().lines().last().unwrap().to_owned();
    assert!(line.contains("https://tenant.eu.auth0.com/") && line.contains(".audience("), "{line}");
    // Those who say what for are not told, nor are others whose tokens need none.
    request("a").audience("https://echo.example.com").build().unwrap();
    let mut config = Auth0Config::new("tenant.eu.auth0.com", "https://echo.example.com");
    (config.client_id, config.client_secret) = (Some("a".into()), Some("s3cret".into()));
    ClientCredentials::from_config(&config).unwrap().build().unwrap();
    let basic = ClientAuthentication::client_secret_basic("a", "s3cret");
    ClientCredentials::oidc("https://issuer.example.com", basic).build().unwrap();
    assert_eq!(lines(), 2);
    drop((tokens, sources));
}

#[test]
fn renewals_are_counted_by_what_came_of_them() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let url = metrics::with_local_recorder(&recorder, || {
        block_on(async {
            let issuer = TestAuthorizationServer::start().await.unwrap();
            issuer.add_client("orders", "s3cret", ["read:word"]);
            let client = ClientAuthentication::client_secret_basic("orders", "s3cret");
            let client = OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone());
            let tokens = client.client_credentials().build().unwrap();
            for _ in 0..2 {
                tokens.token().await.unwrap();
                issuer.clock().advance(3600 * SECOND);
            }
            issuer.fail(Endpoint::Token, Fault::Html);
            tokens.token().await.unwrap_err();
            issuer.heal();
            issuer.add_client("orders", "another", ["read:word"]);
            issuer.clock().advance(SECOND);
            tokens.token().await.unwrap_err();
            issuer.url().to_owned()
        })
    });
    let mut found = Vec::new();
    for (key, unit, help, value) in snapshotter.snapshot().into_vec() {
        if key.key().name() == "grpc_auth_token_renewals_total" {
            assert!(unit.is_some() && help.is_some());
            let labels: Vec<_> = key.key().labels().map(|l| (l.key(), l.value())).collect();
            let [("source", source), ("outcome", outcome)] = labels[..] else { panic!("{key:?}") };
            assert_eq!(source, url);
            found.push((outcome.to_owned(), value));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let count = |outcome: &str, count| (outcome.to_owned(), DebugValue::Counter(count));
    assert_eq!(found, [count("failed", 1), count("refused", 1), count("renewed", 2)]);
}

#[tokio::test]
async fn a_source_shows_where_its_token_is_in_its_life() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.add_client("orders", "s3cret", ["read:word"]);
    let client = ClientAuthentication::client_secret_basic("orders", "s3cret");
    let client = OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone());
    let tokens = client.client_credentials().build().unwrap();
    let shows = |text: &str| {
        let shown = format!("{tokens:?}");
        assert!(shown.contains(text) && !shown.contains("s3cret"), "{text}: {shown}");
    };
    shows("stage: None");
    tokens.token().await.unwrap();
    shows("stage: Fresh");
    issuer.fail(Endpoint::Token, Fault::Status(500));
    issuer.clock().advance(3500 * SECOND);
    shows("stage: Stale");
    issuer.clock().advance(100 * SECOND);
    tokens.token().await.unwrap_err();
    shows("stage: Expired");
    shows("failures: 1");
    shows(issuer.url());
}
