//! An introspection endpoint that says what it should not, or nothing: what two authorization servers
//! would say, bent.

use std::time::Duration;

use allocation_counter::measure;
use grpc_auth::testing::ManualClock;
use grpc_auth::{Introspection, Issuer, ResourceServer};
use serde_json::{Value, json};
use tests::callers::{settle, until, with};
use tests::logs::Logs;
use tests::{assert_denied, block_on};
use tonic::{Code, Status};

use crate::introspection::{OPAQUE, asking, assert_invalid, client};
use crate::parts::{AUDIENCE, CLIENT, Control, Django, Fault, OidcProvider};

const SECOND: Duration = Duration::from_secs(1);

/// An authorization server that introspects its opaque tokens.
trait Asked: Sized {
    async fn start() -> Self;

    /// A token for `read:word`.
    async fn token(&self) -> String;

    /// What it says of a token.
    async fn truth(&self, token: &str) -> Value;

    /// A resource server that asks it.
    async fn asking(&self, clock: &ManualClock) -> ResourceServer;

    fn control(&self) -> &Control;
}

impl Asked for OidcProvider {
    async fn start() -> Self {
        Self::start().await
    }

    async fn token(&self) -> String {
        self.token(CLIENT, "read:word", OPAQUE).await
    }

    async fn truth(&self, token: &str) -> Value {
        self.introspect(token).await
    }

    async fn asking(&self, clock: &ManualClock) -> ResourceServer {
        asking(self, client(), clock).await
    }

    fn control(&self) -> &Control {
        &self.control
    }
}

/// It never says for whom a token is.
impl Asked for Django {
    async fn start() -> Self {
        Self::start().await
    }

    async fn token(&self) -> String {
        self.token(CLIENT, "read:word").await
    }

    async fn truth(&self, token: &str) -> Value {
        self.introspect(token).await
    }

    async fn asking(&self, clock: &ManualClock) -> ResourceServer {
        let asked = Introspection::new(client()).endpoint(self.introspection());
        let issuer = Issuer::introspected(self.base(), asked.allow_missing_audience());
        let builder = ResourceServer::builder().issuer(issuer).audience(AUDIENCE);
        builder.clock(clock.clone()).build().await.unwrap()
    }

    fn control(&self) -> &Control {
        &self.control
    }
}

#[track_caller]
fn assert_unavailable<T>(answer: Result<T, Status>) {
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
}

/// A true answer with one thing wrong, and what the log says of it.
fn bent(truth: &Value) -> Vec<(String, &'static str)> {
    let changed = |name: &str, value: Option<Value>| {
        let mut answer = truth.as_object().unwrap().clone();
        match value {
            Some(value) => answer.insert(name.into(), value),
            None => answer.remove(name),
        };
        Value::from(answer).to_string()
    };
    let with = |name, value| changed(name, Some(value));
    let before = |members: &str| truth.to_string().replacen('{', &format!("{{{members},"), 1);
    let (not_active, twice) = ("`active` is not the boolean", "occurs twice");
    let mut bent = vec![
        (with("active", json!(false)), "says that the token is not active"),
        (with("active", json!("true")), not_active),
        (with("active", json!(1)), not_active),
        (changed("active", None), not_active),
        (before(r#""active":false"#), twice),
        (before(r#""\u0061ctive":true"#), twice),
        (before(r#""scope":"read:word""#), twice),
        (with("aud", json!("urn:kit:other")), "`aud` does not contain"),
        (with("iss", json!("https://o.example")), "`iss` is not"),
        (with("cnf", json!({"jkt": "x"})), "`cnf`"),
    ];
    if truth.get("aud").is_some() {
        bent.push((changed("aud", None), "allow_missing_audience"));
        bent.push((before(r#""aud":"urn:kit:other""#), twice));
    }
    bent
}

async fn what_is_not_plainly_active_is_refused<A: Asked>() {
    let issuer = A::start().await;
    let token = issuer.token().await;
    for (answer, cause) in bent(&issuer.truth(&token).await) {
        let clock = ManualClock::new();
        let auth = issuer.asking(&clock).await;
        issuer.control().fault("introspection", Fault::Body(answer.clone())).await;
        let logs = Logs::capture();
        assert_invalid(with(&auth, &token).await);
        let line = logs.line_with("call denied");
        assert!(line.contains(cause), "{answer}: {line}");
        // So long it is remembered.
        issuer.control().heal().await;
        assert_invalid(with(&auth, &token).await);
        clock.advance(10 * SECOND);
        with(&auth, &token).await.unwrap();
    }
}

#[tokio::test]
async fn what_oidc_provider_does_not_plainly_call_active_for_us_is_refused_by_its_reason() {
    what_is_not_plainly_active_is_refused::<OidcProvider>().await;
}

#[tokio::test]
async fn what_django_does_not_plainly_call_active_for_us_is_refused_by_its_reason() {
    what_is_not_plainly_active_is_refused::<Django>().await;
}

async fn unavailable(issuer: &impl Asked, fault: Fault) {
    let clock = ManualClock::new();
    let auth = issuer.asking(&clock).await;
    let known = issuer.token().await;
    let token = issuer.token().await;
    with(&auth, &known).await.unwrap();
    let control = issuer.control();
    let before = control.requests("introspection").await;
    control.fault("introspection", fault.clone()).await;
    for n in 1..8 {
        assert_unavailable(with(&auth, &token).await);
        with(&auth, &known).await.unwrap();
        // The fifth failure opens the circuit.
        assert_eq!(control.requests("introspection").await - before, n.min(5), "{fault:?}");
    }
    control.heal().await;
    assert_unavailable(with(&auth, &token).await);
    clock.advance(5 * SECOND);
    with(&auth, &token).await.unwrap();
}

fn nothing_said_is_unavailable<A: Asked>() {
    let memory = measure(|| {
        block_on(async {
            let issuer = A::start().await;
            for fault in [
                Fault::Status(500),
                Fault::RetryAfter { status: 503, seconds: 1 },
                Fault::RetryAfter { status: 429, seconds: 1 },
                Fault::Html,
                Fault::Body(String::new()),
                Fault::Body("[]".into()),
                Fault::Body(r#"{"active":true,"#.into()),
                Fault::Truncated,
                Fault::Redirect,
            ] {
                unavailable(&issuer, fault).await;
            }
            // It may be about one token: no reason to leave the server alone.
            issuer.control().fault("introspection", Fault::Huge).await;
            let auth = issuer.asking(&ManualClock::new()).await;
            let before = issuer.control().requests("introspection").await;
            for n in 1..8 {
                assert_unavailable(with(&auth, "unknown").await);
                assert_eq!(issuer.control().requests("introspection").await - before, n);
            }
            let elsewhere = issuer.control().requests("elsewhere").await;
            assert_eq!(elsewhere, 0, "no redirect is followed");
        });
    });
    // For answers of 256 KiB and connections; not for 1 GB.
    assert!(memory.bytes_max < 4 * 1024 * 1024, "{} bytes", memory.bytes_max);
}

#[test]
fn oidc_provider_that_says_nothing_makes_unknown_tokens_unavailable() {
    nothing_said_is_unavailable::<OidcProvider>();
}

#[test]
fn django_that_says_nothing_makes_unknown_tokens_unavailable() {
    nothing_said_is_unavailable::<Django>();
}

async fn who_hangs_is_given_five_seconds<A: Asked>() {
    let issuer = A::start().await;
    let token = issuer.token().await;
    let control = issuer.control();
    for fault in [Fault::Hang, Fault::Drip] {
        let clock = ManualClock::new();
        let auth = issuer.asking(&clock).await;
        let before = control.requests("introspection").await;
        control.fault("introspection", fault.clone()).await;
        let hanging = tokio::spawn({
            let (auth, token) = (auth.clone(), token.clone());
            async move { with(&auth, &token).await }
        });
        until("it is asked", async || control.requests("introspection").await > before).await;
        clock.advance(5 * SECOND - Duration::from_millis(1));
        settle().await;
        assert!(!hanging.is_finished(), "{fault:?}");
        clock.advance(Duration::from_millis(1));
        assert_unavailable(hanging.await.unwrap());
        control.heal().await;
        with(&auth, &token).await.unwrap();
    }
}

#[tokio::test]
async fn oidc_provider_that_hangs_is_given_five_seconds() {
    who_hangs_is_given_five_seconds::<OidcProvider>().await;
}

#[tokio::test]
async fn django_that_hangs_is_given_five_seconds() {
    who_hangs_is_given_five_seconds::<Django>().await;
}
