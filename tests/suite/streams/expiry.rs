//! Streams end with their caller's token: over real sockets, by the manual clock.

use std::time::{Duration, SystemTime};

use grpc_auth::BearerToken;
use grpc_auth::server::StreamExpiry;
use tests::callers::{settle, until};
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::{Kit, assert_denied, serve, with_token};
use tokio::sync::mpsc::unbounded_channel;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Code, Status, Streaming};

use crate::streams::scripted::{Call, Script, Scripted, word};

pub(crate) const TICK: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const LEEWAY: Duration = Duration::from_secs(30);
const STREAMING: [&str; 3] = ["ServerStream", "ClientStream", "Bidi"];

/// A token for an hour, and when streams end that were opened with it.
pub(crate) async fn token(kit: &Kit) -> (String, SystemTime) {
    let token = kit.issuer.token().expires_in(HOUR).sign();
    let caller = kit.auth.verify(&BearerToken::parse(&token).unwrap()).await.unwrap();
    (token, caller.expires_at() + LEEWAY)
}

pub(crate) fn advance_to(kit: &Kit, time: SystemTime) {
    let clock = kit.issuer.clock();
    clock.advance(time.duration_since(clock.now()).unwrap());
}

#[track_caller]
pub(crate) fn assert_expired<T>(answer: Result<T, Status>) {
    let challenge =
        answer.as_ref().err().and_then(|status| status.metadata().get("www-authenticate"));
    let challenge = challenge.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

/// What a stream does while it is open.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Busy,
    Idle,
    /// It never has to wait.
    Flood,
    /// The handler waits for something else.
    Hang,
}

impl Manner {
    fn script(self) -> Script {
        match self {
            Self::Busy | Self::Idle => Script::Cue,
            Self::Flood => Script::Flood,
            Self::Hang => Script::Hang,
        }
    }
}

#[tokio::test]
async fn streams_of_every_kind_end_with_their_token_and_none_before() {
    let kit = Kit::start().await;
    let policies =
        [StreamExpiry::UntilExpiry, StreamExpiry::CheckedAtOpen, StreamExpiry::MaxAge(10 * MINUTE)];
    for method in STREAMING {
        for manner in [Manner::Busy, Manner::Idle, Manner::Flood, Manner::Hang] {
            for policy in policies {
                check(&kit, method, manner, policy).await;
            }
        }
    }
    // The token may well expire first.
    check(&kit, "Bidi", Manner::Idle, StreamExpiry::MaxAge(24 * HOUR)).await;
    check(&kit, "Bidi", Manner::Idle, StreamExpiry::MaxAge(Duration::MAX)).await;
}

async fn check(kit: &Kit, method: &'static str, manner: Manner, policy: StreamExpiry) {
    let case = format!("{method} {manner:?} {policy:?}");
    let service = Scripted::new(manner.script());
    let protected = kit.auth.protect(service.clone()).stream_expiry(policy).unwrap();
    let client = KindsClient::new(serve(protected).await);
    let (token, expiry) = token(kit).await;
    let deadline = match policy {
        StreamExpiry::MaxAge(age) if age < HOUR => kit.issuer.clock().now() + age,
        _ => expiry,
    };
    let call = Call::start(&client, method, Some(&token), manner.script());
    if manner == Manner::Hang {
        until(&case, async || service.waiting() == 1).await;
    } else {
        exchange(&service, &call, method, manner, &case).await;
    }

    let alive = async || {
        if matches!(manner, Manner::Busy | Manner::Flood) {
            exchange(&service, &call, method, manner, &case).await;
        }
        // What the server would have sent comes before this answer.
        client.clone().open(word()).await.unwrap();
        if manner != Manner::Flood {
            settle().await;
        }
        assert!(!call.is_over(), "{case}: too early");
    };
    advance_to(kit, deadline - TICK);
    alive().await;
    advance_to(kit, deadline);
    if policy == StreamExpiry::CheckedAtOpen {
        alive().await;
        call.task.abort();
        return;
    }
    until(&case, async || call.is_over()).await;
    assert_expired(call.end().await);
    until(&case, async || service.open() + service.waiting() == 0).await;
    if method != "ServerStream" && manner != Manner::Hang {
        until(&case, async || service.ends().len() == 1).await;
        assert_expired(service.ends()[0].clone().map_or(Ok(()), Err));
    }
}

/// Something goes each way that the method has.
async fn exchange(service: &Scripted, call: &Call, method: &str, manner: Manner, case: &str) {
    let (received, heard) = (call.received(), service.heard());
    let _ = call.sender.send(word());
    until(case, async || {
        if manner != Manner::Flood && call.received() == received {
            service.say("again");
        }
        assert!(!call.is_over(), "{case}: too early");
        let is_received = method == "ClientStream" || call.received() > received;
        let is_heard = method == "ServerStream" || service.heard() > heard;
        is_received && is_heard
    })
    .await;
}

#[tokio::test]
async fn what_has_only_to_be_answered_is_not_cut_off() {
    let kit = Kit::start().await;
    for method in ["Unary", "ClientStream"] {
        let service = Scripted::new(Script::Cue);
        let client = KindsClient::new(serve(kit.auth.protect(service.clone())).await);
        let (token, deadline) = token(&kit).await;
        let mut call = Call::start(&client, method, Some(&token), Script::Cue);
        call.sender = unbounded_channel().0;
        until("the handler works on its answer", async || service.open() == 1).await;
        advance_to(&kit, deadline + HOUR);
        client.clone().open(word()).await.unwrap();
        settle().await;
        assert!(!call.is_over(), "{method}");
        service.end(None);
        call.end().await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_of_nobody_has_no_token_to_end_with() {
    let kit = Kit::start().await;
    let service = Scripted::new(Script::Cue);
    let client = KindsClient::new(serve(kit.auth.protect(service.clone())).await);
    let (token, deadline) = token(&kit).await;
    let forged = kit.issuer.token().sign_with_wrong_key();
    // The method is open to anyone; an invalid token means an anonymous caller.
    let nobody = Call::start(&client, "Bidi", None, Script::Cue);
    let forger = Call::start(&client, "Bidi", Some(&forged), Script::Cue);
    let somebody = Call::start(&client, "Bidi", Some(&token), Script::Cue);
    until("all are open", async || service.open() == 3).await;
    advance_to(&kit, deadline + 24 * HOUR);
    assert_expired(somebody.end().await);
    service.say("still there?");
    until("the others go on", async || nobody.received() == 1 && forger.received() == 1).await;
    let refused = client.clone().server_stream(word()).await;
    tests::assert_anonymous_denied(refused);
}

#[tokio::test]
async fn the_end_of_a_stream_is_logged_once_with_its_cause() {
    let logs = tests::logs::Logs::capture();
    let kit = Kit::start().await;
    for (policy, cause) in [
        (StreamExpiry::UntilExpiry, "the token expired while the stream was open"),
        (
            StreamExpiry::MaxAge(MINUTE),
            "the stream was open for as long as `StreamExpiry::MaxAge` allows",
        ),
    ] {
        let service = Scripted::new(Script::Cue);
        let protected = kit.auth.protect(service.clone()).stream_expiry(policy).unwrap();
        let client = KindsClient::new(serve(protected).await);
        let (token, deadline) = token(&kit).await;
        let call = Call::start(&client, "Bidi", Some(&token), Script::Cue);
        exchange(&service, &call, "Bidi", Manner::Busy, cause).await;
        advance_to(&kit, deadline);
        assert_expired(call.end().await);
        until("the handler knows", async || service.ends().len() == 1).await;
        let line = logs.line_with(cause);
        for part in [
            "stream ended",
            "method=\"/kit.v1.Kinds/Bidi\"",
            "rule=\"allow_unauthenticated\"",
            "verdict=\"deny\"",
            "reason=\"ACCESS_TOKEN_EXPIRED\"",
            &format!("issuer={:?}", kit.issuer.url()),
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!line.contains(&token));
    }
}

#[tokio::test]
async fn a_call_that_waited_for_keys_ends_like_others() {
    let kit = Kit::start().await;
    let service = Scripted::new(Script::Cue);
    let client = KindsClient::new(serve(kit.auth.protect(service.clone())).await);
    kit.issuer.replace_keys().unwrap();
    let token = kit.issuer.token().expires_in(HOUR).sign();
    let call = Call::start(&client, "ServerStream", Some(&token), Script::Cue);
    exchange(&service, &call, "ServerStream", Manner::Busy, "it is open").await;
    kit.issuer.clock().advance(HOUR + LEEWAY);
    assert_expired(call.end().await);
}

/// A message of several frames, to a caller who reads none of it before the deadline.
#[tokio::test]
async fn messages_arrive_whole_and_those_sent_in_time_arrive_compressed_or_not() {
    let kit = Kit::start().await;
    for is_compressed in [false, true] {
        let service = Scripted::new(Script::Cue);
        let mut protected = kit.auth.protect(service.clone());
        if is_compressed {
            protected =
                protected.map(|server| server.send_compressed(Gzip).accept_compressed(Gzip));
        }
        let mut client = KindsClient::new(serve(protected).await);
        if is_compressed {
            client = client.accept_compressed(Gzip).send_compressed(Gzip);
        }
        let (token, deadline) = token(&kit).await;
        let mut words =
            client.server_stream(with_token(word(), &token)).await.unwrap().into_inner();
        until("it is open", async || service.open() == 1).await;
        // More than a window, so that it is under way at the deadline; and hard to compress.
        let hash = |n: u32| n.wrapping_mul(2_654_435_761);
        let text: String = (0..400_000).map(|n| format!("{:08x}", hash(n))).collect();
        service.say(&text);
        settle().await;
        advance_to(&kit, deadline);
        settle().await;
        service.say("too late");
        let whole = words.message().await.unwrap().unwrap();
        assert!(whole.text == text, "{} bytes", whole.text.len());
        assert_expired(words.message().await);
    }
}

#[tokio::test]
async fn a_stream_that_ends_in_time_ends_as_its_handler_says() {
    let kit = Kit::start().await;
    let service = Scripted::new(Script::Cue);
    let mut client = KindsClient::new(serve(kit.auth.protect(service.clone())).await);
    let (token, _) = token(&kit).await;
    let mut open = async || -> Streaming<Word> {
        let words = client.server_stream(with_token(word(), &token)).await.unwrap().into_inner();
        until("it is open", async || service.open() == 1).await;
        service.say("last");
        words
    };
    let mut words = open().await;
    service.end(None);
    assert_eq!(words.message().await.unwrap().unwrap().text, "last");
    assert!(words.message().await.unwrap().is_none());
    assert_eq!(words.trailers().await.unwrap().unwrap().get("grpc-status").unwrap(), "0");

    let mut words = open().await;
    let mut status = Status::data_loss("the disk is gone");
    status.metadata_mut().insert("x-disk", "7".parse().unwrap());
    service.end(Some(&status));
    assert_eq!(words.message().await.unwrap().unwrap().text, "last");
    let ended = words.message().await.unwrap_err();
    assert_eq!((ended.code(), ended.message()), (Code::DataLoss, "the disk is gone"));
    assert_eq!(ended.metadata().get("x-disk").unwrap(), "7");
}

#[tokio::test]
async fn callers_who_leave_disturb_nobody() {
    let kit = Kit::start().await;
    let service = Scripted::new(Script::Cue);
    let client = KindsClient::new(serve(kit.auth.protect(service.clone())).await);
    let (token, deadline) = token(&kit).await;
    let calls: Vec<_> = (0..60)
        .map(|n| Call::start(&client, STREAMING[n % 3], Some(&token), Script::Cue))
        .collect();
    let mut stay = Vec::new();
    for (n, call) in calls.into_iter().enumerate() {
        // At every point on the way to an open stream, and then.
        if n % 2 == 0 {
            stay.push(call);
        } else {
            for _ in 0..n {
                tokio::task::yield_now().await;
            }
            call.task.abort();
        }
    }
    until("the others are open, and those are gone", async || service.open() == 20).await;
    advance_to(&kit, deadline - TICK);
    service.say("again");
    settle().await;
    assert!(stay.iter().all(|call| !call.is_over()));
    advance_to(&kit, deadline);
    for call in stay {
        assert_expired(call.end().await);
    }
    until("nothing is left", async || service.open() == 0).await;
}
