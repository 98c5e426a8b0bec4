//! Faults of the authorization server: which error each caller gets, and which requests follow.

use super::*;

/// From the first attempt at a renewal to the last second of the token.
#[tokio::test]
async fn an_outage_shorter_than_the_lead_time_fails_no_call() {
    for fault in [Fault::Refuse, Fault::Status(503), Fault::Html] {
        let kit = Kit::start().await;
        let old = kit.token().await.unwrap();
        kit.advance(3299);
        kit.issuer.fail(Endpoint::Token, fault);
        for second in 3299..3599 {
            let token = kit.token().await;
            assert!(Arc::ptr_eq(&old, &token.unwrap()), "{fault:?} at {second}");
            settle().await;
            kit.advance(1);
        }
        let tried = kit.asked();
        assert!((4..60).contains(&tried), "{fault:?}: {tried} requests");
        kit.issuer.heal();
        kit.advance(1);
        assert!(!Arc::ptr_eq(&old, &kit.token().await.unwrap()), "{fault:?}");
        assert_eq!(kit.asked(), tried + 1, "{fault:?}");
    }
}

/// About to expire, it is replaced if that is possible, and sent if it is not.
#[tokio::test]
async fn a_token_endpoint_that_hangs_fails_no_call_while_the_token_lives() {
    let kit = Kit::start().await;
    let old = kit.token().await.unwrap();
    kit.issuer.fail(Endpoint::Token, Fault::Hang);
    kit.advance(3591);
    let tokens = kit.tokens.clone();
    let call = tokio::spawn(async move { tokens.token().await });
    until("it is asked", async || kit.asked() == 2).await;
    settle().await;
    assert!(!call.is_finished());
    kit.advance(5);
    assert!(Arc::ptr_eq(&old, &call.await.unwrap().unwrap()));
}

#[tokio::test]
async fn whoever_waits_is_told_after_five_seconds() {
    for fault in [Fault::Hang, Fault::Drip] {
        let kit = Kit::start().await;
        kit.issuer.fail(Endpoint::Token, fault);
        let mut calls = JoinSet::new();
        for _ in 0..100 {
            let tokens = kit.tokens.clone();
            calls.spawn(async move { tokens.token().await });
        }
        until("it is asked", async || kit.asked() == 1).await;
        settle().await;
        kit.issuer.clock().advance(5 * SECOND - Duration::from_millis(1));
        settle().await;
        assert!(calls.try_join_next().is_none(), "{fault:?}");
        kit.issuer.clock().advance(Duration::from_millis(1));
        while let Some(call) = calls.join_next().await {
            let error = call.unwrap().unwrap_err();
            assert!(matches!(error, TokenError::Unreachable(_)), "{fault:?}: {error}");
            assert!(told(&error).contains("does not answer within 5 s"), "{fault:?}");
        }
        assert_eq!(kit.asked(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn each_fault_is_told_by_its_cause_and_recovery_needs_no_restart() {
    for (fault, cause) in [
        (Fault::Refuse, "the server does not answer"),
        (Fault::Reset, "the server does not answer"),
        (Fault::Truncated, "the server does not answer"),
        (Fault::Status(500), "HTTP status 500"),
        (Fault::Status(404), "HTTP status 404"),
        (Fault::Status(401), "HTTP status 401"),
        (Fault::RetryAfter { status: 429, seconds: 7 }, "HTTP status 429"),
        (Fault::Redirect, "HTTP status 302"),
        (Fault::Html, "it is not valid JSON"),
        (Fault::Corrupt, "it is not valid JSON"),
        (Fault::Empty, "it has no `access_token`"),
        (Fault::Huge, "longer than 256 KiB"),
    ] {
        let kit = Kit::start().await;
        kit.issuer.fail(Endpoint::Token, fault);
        let logs = Logs::capture();
        let error = kit.token().await.unwrap_err();
        assert!(!error.is_permanent(), "{fault:?}");
        assert!(told(&error).contains(cause), "{fault:?}: {}", told(&error));
        let line = logs.line_with("a token could not be renewed");
        assert!(line.contains(cause) && line.contains(kit.issuer.url()), "{line}");
        assert_eq!(kit.issuer.requests(Endpoint::Elsewhere), 0, "{fault:?}");
        kit.issuer.heal();
        kit.advance(7);
        kit.token().await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
    }
}

#[test]
fn a_gigabyte_is_not_read() {
    let memory = measure(|| {
        block_on(async {
            let kit = Kit::start().await;
            kit.issuer.fail(Endpoint::Token, Fault::Huge);
            kit.token().await.unwrap_err();
        });
    });
    assert!(memory.bytes_max < 4 * 1024 * 1024, "{} bytes", memory.bytes_max);
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is() {
    let kit = Kit::start().await;
    kit.issuer.fail(Endpoint::Token, Fault::RetryAfter { status: 429, seconds: 60 });
    for _ in 0..60 {
        kit.token().await.unwrap_err();
        kit.advance(1);
    }
    assert_eq!(kit.asked(), 1);
    kit.issuer.heal();
    kit.token().await.unwrap();
}

#[tokio::test]
async fn a_server_without_metadata_that_can_be_used_is_said_so() {
    for (fault, cause) in
        [(Fault::Html, "it is an HTML page"), (Fault::Status(503), "HTTP status 503")]
    {
        let kit = Kit::start().await;
        kit.issuer.fail(Endpoint::Discovery, fault);
        let error = kit.token().await.unwrap_err();
        assert!(told(&error).contains(cause), "{fault:?}: {}", told(&error));
        assert_eq!(kit.asked(), 0);
        kit.issuer.heal();
        kit.advance(1);
        kit.token().await.unwrap();
    }
}

#[tokio::test]
async fn a_permanent_error_costs_a_request_in_thirty_seconds_and_its_cause_is_in_the_log() {
    let kit = Kit::start().await;
    kit.issuer.add_client("orders", "another", ["read:word"]);
    let logs = Logs::capture();
    for _ in 0..120 {
        let error = kit.token().await.unwrap_err();
        assert!(error.is_permanent());
        assert!(error.to_string().contains("answers `invalid_client`"), "{error}");
        kit.advance(1);
    }
    assert_eq!(kit.asked(), 4);
    let text = logs.text();
    // The first, the second and the fourth in a row.
    let warnings: Vec<_> = text
        .lines()
        .filter(|line| line.contains("WARN") && line.contains("could not be renewed"))
        .collect();
    assert_eq!(warnings.len(), 3, "{warnings:#?}");
    assert!(warnings.iter().all(|line| line.contains("invalid_client")), "{warnings:#?}");
    assert!(!text.contains("s3cret"), "the secret is in the log");

    kit.issuer.add_client("orders", "s3cret", ["read:word"]);
    kit.token().await.unwrap();
}

#[tokio::test]
async fn what_the_server_refuses_is_told_by_its_code() {
    let kit = Kit::start().await;
    let forbidden = kit.client.client_credentials().scopes(["admin:all"]).build().unwrap();
    let error = forbidden.token().await.unwrap_err();
    assert!(error.is_permanent());
    assert!(error.to_string().contains("answers `invalid_scope`"), "{error}");
    // Others are not held up by it.
    kit.token().await.unwrap();
}
