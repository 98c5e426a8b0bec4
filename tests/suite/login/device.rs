//! A login by a code that is typed in elsewhere.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_auth::login::PendingDevice;
use grpc_auth::login::{LoginError, LoginOutcome};
use serde_json::{Value, json};
use tests::told;
use tokio::task::JoinHandle;

use super::{CLIENT, Kit, in_time};

fn offered(kit: &Kit) -> Value {
    json!({
        "device_code": "dc-1", "user_code": "WDJB-MJHT", "expires_in": 600,
        "verification_uri": format!("{}/activate", kit.server.url()),
        "verification_uri_complete": "https://login.example/activate?user_code=WDJB-MJHT",
    })
}

/// A server that offers a code, and answers each question with the next of these errors, then
/// grants.
async fn kit(errors: &[&'static str]) -> Kit {
    let kit = Kit::start().await;
    let offered = offered(&kit);
    kit.server.on("/device", move |_| (200, offered.clone()));
    let errors = Mutex::new(errors.iter().copied().collect::<VecDeque<_>>());
    let server = kit.server.clone();
    kit.server.on("/token", move |form| match errors.lock().unwrap().pop_front() {
        Some("hang up") => (0, Value::Null),
        Some(error) => (400, json!({ "error": error })),
        None => server.grant(form),
    });
    kit
}

async fn start(kit: &Kit) -> PendingDevice {
    kit.client().device_login().scopes(["read:orders"]).start().await.unwrap()
}

/// Waits in the background until the next question, by the clock.
struct Waiting(JoinHandle<Result<LoginOutcome, LoginError>>);

impl Waiting {
    async fn start(kit: &Kit) -> Self {
        let pending = start(kit).await;
        let waiting = Self(tokio::spawn(pending.wait()));
        settle().await;
        waiting
    }

    /// No question comes before this time has passed, and then one does.
    async fn asks_after(&self, kit: &Kit, seconds: u64) {
        let before = kit.server.forms("/token").len();
        kit.clock.advance(Duration::from_secs(seconds) - Duration::from_millis(1));
        settle().await;
        assert_eq!(kit.server.forms("/token").len(), before, "it asks too early");
        kit.clock.advance(Duration::from_millis(1));
        in_time(async {
            while kit.server.forms("/token").len() == before {
                tokio::task::yield_now().await;
            }
        })
        .await;
        settle().await;
    }

    async fn end(self) -> Result<LoginOutcome, LoginError> {
        in_time(self.0).await.unwrap()
    }
}

/// Lets what can happen without the clock happen: an answer is on its way over a socket.
async fn settle() {
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_person_types_in_the_code_elsewhere() {
    let kit = kit(&["authorization_pending", "authorization_pending"]).await;
    let seen = Arc::new(Mutex::new(None));
    let login = kit.client().device_login().scopes(["read:orders"]).audience("orders");
    let (clock, shown) = (kit.clock.clone(), Arc::clone(&seen));
    let running = tokio::spawn(async move {
        login.run(|prompt| *shown.lock().unwrap() = Some(prompt.clone())).await
    });
    let logged_in = in_time(async {
        while !running.is_finished() {
            clock.advance(Duration::from_secs(1));
            settle().await;
        }
        running.await.unwrap().unwrap()
    })
    .await;
    assert_eq!(logged_in.subject(), Some("alice"));
    assert_eq!(logged_in.tokens().token().await.unwrap().token().expose_secret(), "at-1");

    let prompt = seen.lock().unwrap().take().unwrap();
    assert_eq!(prompt.user_code(), "WDJB-MJHT");
    assert_eq!(prompt.verification_uri().path(), "/activate");
    assert_eq!(prompt.verification_uri_complete().unwrap().scheme(), "https");
    assert_eq!(prompt.expires_in(), Duration::from_secs(600));
    let asked = &kit.server.forms("/device")[0];
    assert_eq!((&*asked["client_id"], &*asked["audience"]), (CLIENT, "orders"));
    assert_eq!(asked["scope"], "offline_access openid read:orders");
    let polled = kit.server.forms("/token");
    assert_eq!(polled.len(), 3);
    assert_eq!(polled[0]["grant_type"], "urn:ietf:params:oauth:grant-type:device_code");
    assert_eq!(polled[0]["device_code"], "dc-1");
}

#[tokio::test]
async fn it_asks_as_often_as_the_server_allows() {
    let errors =
        ["authorization_pending", "slow_down", "slow_down", "hang up", "authorization_pending"];
    let kit = kit(&errors).await;
    let waiting = Waiting::start(&kit).await;
    for seconds in [5, 5, 10, 15, 30, 30] {
        waiting.asks_after(&kit, seconds).await;
    }
    waiting.end().await.unwrap();
}

#[tokio::test]
async fn the_servers_interval_counts() {
    let kit = kit(&["authorization_pending"]).await;
    let mut offered = offered(&kit);
    offered["interval"] = 7.into();
    kit.server.on("/device", move |_| (200, offered.clone()));
    let waiting = Waiting::start(&kit).await;
    waiting.asks_after(&kit, 7).await;
    waiting.asks_after(&kit, 7).await;
    waiting.end().await.unwrap();
}

#[tokio::test]
async fn a_refusal_ends_it_by_its_reason() {
    for (error, reason) in [
        ("access_denied", "`access_denied`"),
        ("expired_token", "expired before it was typed in"),
        ("invalid_grant", "`invalid_grant`"),
        ("invalid_client", "`invalid_client`"),
    ] {
        let kit = kit(&[error]).await;
        let waiting = Waiting::start(&kit).await;
        waiting.asks_after(&kit, 5).await;
        let error = waiting.end().await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(kit.server.forms("/token").len(), 1);
    }
}

#[tokio::test]
async fn a_code_that_nobody_types_in_expires_by_the_clock() {
    let kit = kit(&["authorization_pending"; 500]).await;
    let mut offered = offered(&kit);
    offered["expires_in"] = 12.into();
    kit.server.on("/device", move |_| (200, offered.clone()));
    let waiting = Waiting::start(&kit).await;
    waiting.asks_after(&kit, 5).await;
    waiting.asks_after(&kit, 5).await;
    kit.clock.advance(Duration::from_secs(2));
    assert!(matches!(waiting.end().await, Err(LoginError::CodeExpired)));
    assert_eq!(kit.server.forms("/token").len(), 2);
}

#[tokio::test]
async fn nothing_reaches_a_terminal_that_could_do_harm_there() {
    for (member, value, reason) in [
        ("user_code", json!("A\u{1b}[2J"), "its `user_code` is not printable"),
        ("user_code", json!("A\nB"), "its `user_code` is not printable"),
        ("user_code", json!("\u{202e}AB"), "its `user_code` is not printable"),
        ("user_code", json!(" "), "its `user_code` is not printable"),
        ("user_code", json!("A".repeat(65)), "its `user_code` is not printable"),
        ("verification_uri", json!("http://login.example/"), "neither https nor"),
        ("verification_uri", json!("javascript:alert(1)"), "neither https nor"),
        ("verification_uri", json!("https://a:b@login.example/"), "neither https nor"),
        ("verification_uri_complete", json!("http://login.example/"), "neither https nor"),
        ("verification_uri", Value::Null, "`verification_uri` is null, expected a string"),
        ("device_code", json!(""), "its `device_code` is empty"),
        ("expires_in", json!(0), "its `expires_in` is no number"),
        ("expires_in", json!(-1), "its `expires_in` is no number"),
        ("interval", json!(-1), "its `interval` is negative"),
    ] {
        let kit = Kit::start().await;
        let mut offered = offered(&kit);
        offered[member] = value.clone();
        kit.server.on("/device", move |_| (200, offered.clone()));
        let error = kit.client().device_login().start().await.unwrap_err();
        assert!(error.to_string().contains(reason), "{member} {value}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_offers_no_code_is_told_apart() {
    let kit = Kit::start().await;
    kit.server.on("/device", |_| (400, json!({ "error": "unauthorized_client" })));
    let error = kit.client().device_login().start().await.unwrap_err();
    assert!(told(&error).contains("`unauthorized_client`"), "{error}");
    kit.server.say("device_authorization_endpoint", Value::Null);
    let error = kit.client().device_login().start().await.unwrap_err();
    assert!(told(&error).contains("`device_authorization_endpoint`"), "{error}");
}

#[tokio::test]
async fn nothing_of_it_shows_the_device_code() {
    let kit = kit(&[]).await;
    kit.server.on("/token", |form| {
        let description = format!("{} is unknown", form["device_code"]);
        (400, json!({ "error": "invalid_grant", "error_description": description }))
    });
    let pending = start(&kit).await;
    assert!(!format!("{pending:?}").contains("dc-1"));
    drop(pending);
    let waiting = Waiting::start(&kit).await;
    waiting.asks_after(&kit, 5).await;
    let error = waiting.end().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("dc-1"), "{error:?}");
}
