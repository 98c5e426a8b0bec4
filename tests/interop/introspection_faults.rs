//! An introspection endpoint that says what it should not, or nothing.

use std::time::Duration;

use allocation_counter::measure;
use grpc_auth::testing::ManualClock;
use tests::callers::{settle, until, with};
use tests::logs::Logs;
use tests::{assert_denied, block_on};
use tonic::{Code, Status};

use crate::introspection::{OPAQUE, asking, assert_invalid, client};
use crate::parts::{CLIENT, Fault, OidcProvider};

const SECOND: Duration = Duration::from_secs(1);

#[track_caller]
fn assert_unavailable<T>(answer: Result<T, Status>) {
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
}

#[tokio::test]
async fn what_is_not_plainly_active_for_us_is_refused_by_its_reason() {
    let issuer = OidcProvider::start().await;
    let token = issuer.token(CLIENT, "read:word", OPAQUE).await;
    let ours = r#""aud":"urn:kit:words","scope":"read:word""#;
    for (answer, cause) in [
        (r#"{"active":false}"#.to_owned(), "says that the token is not active"),
        (format!(r#"{{"active":"true",{ours}}}"#), "`active` is not the boolean"),
        (format!(r#"{{"active":1,{ours}}}"#), "`active` is not the boolean"),
        (format!("{{{ours}}}"), "`active` is not the boolean"),
        (format!(r#"{{"active":false,"active":true,{ours}}}"#), "a name stands in it twice"),
        (format!(r#"{{"active":true,"\u0061ctive":true,{ours}}}"#), "a name stands in it twice"),
        (format!(r#"{{"active":true,"aud":"x",{ours}}}"#), "a name stands in it twice"),
        (r#"{"active":true,"aud":"urn:kit:other"}"#.into(), "`aud` does not contain"),
        (r#"{"active":true,"scope":"read:word"}"#.into(), "allow_missing_audience"),
        (format!(r#"{{"active":true,"iss":"https://o.example",{ours}}}"#), "`iss` is not"),
        (format!(r#"{{"active":true,"cnf":{{"jkt":"x"}},{ours}}}"#), "`cnf`"),
    ] {
        let clock = ManualClock::new();
        let auth = asking(&issuer, client(), &clock).await;
        issuer.fault("introspection", Fault::Body(answer.clone())).await;
        let logs = Logs::capture();
        assert_invalid(with(&auth, &token).await);
        let line = logs.line_with("call denied");
        assert!(line.contains(cause), "{answer}: {line}");
        // So long it is remembered.
        issuer.heal().await;
        assert_invalid(with(&auth, &token).await);
        clock.advance(10 * SECOND);
        with(&auth, &token).await.unwrap();
    }
}

async fn unavailable(issuer: &OidcProvider, fault: Fault) {
    let clock = ManualClock::new();
    let auth = asking(issuer, client(), &clock).await;
    let known = issuer.token(CLIENT, "read:word", OPAQUE).await;
    let token = issuer.token(CLIENT, "read:word", OPAQUE).await;
    with(&auth, &known).await.unwrap();
    let before = issuer.requests("introspection").await;
    issuer.fault("introspection", fault.clone()).await;
    for n in 1..8 {
        assert_unavailable(with(&auth, &token).await);
        with(&auth, &known).await.unwrap();
        // The fifth failure opens the circuit.
        assert_eq!(issuer.requests("introspection").await - before, n.min(5), "{fault:?}");
    }
    issuer.heal().await;
    assert_unavailable(with(&auth, &token).await);
    clock.advance(5 * SECOND);
    with(&auth, &token).await.unwrap();
}

#[test]
fn an_endpoint_that_says_nothing_makes_unknown_tokens_unavailable() {
    let memory = measure(|| {
        block_on(async {
            let issuer = OidcProvider::start().await;
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
            issuer.fault("introspection", Fault::Huge).await;
            let auth = asking(&issuer, client(), &ManualClock::new()).await;
            assert_unavailable(with(&auth, "unknown").await);
            assert_eq!(issuer.requests("elsewhere").await, 0, "no redirect is followed");
        });
    });
    // For answers of 256 KiB and connections; not for 1 GB.
    assert!(memory.bytes_max < 4 * 1024 * 1024, "{} bytes", memory.bytes_max);
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_given_five_seconds() {
    let issuer = OidcProvider::start().await;
    let token = issuer.token(CLIENT, "read:word", OPAQUE).await;
    for fault in [Fault::Hang, Fault::Drip] {
        let clock = ManualClock::new();
        let auth = asking(&issuer, client(), &clock).await;
        let before = issuer.requests("introspection").await;
        issuer.fault("introspection", fault.clone()).await;
        let hanging = tokio::spawn({
            let (auth, token) = (auth.clone(), token.clone());
            async move { with(&auth, &token).await }
        });
        until("it is asked", async || issuer.requests("introspection").await > before).await;
        clock.advance(5 * SECOND - Duration::from_millis(1));
        settle().await;
        assert!(!hanging.is_finished(), "{fault:?}");
        clock.advance(Duration::from_millis(1));
        assert_unavailable(hanging.await.unwrap());
        issuer.heal().await;
        with(&auth, &token).await.unwrap();
    }
}
