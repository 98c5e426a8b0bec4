//! Where one part hands a call to another: what one of them checked must not be lost there.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use grpc_auth::server::{AccessDecision, AccessRequest};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{
    BearerToken, Dpop, DpopProofId, Redis, ReplayStore, ReplayStoreError, ResourceServer,
    StartupPolicy,
};
use tests::callers::{until, with};
use tests::kinds::{Counting, call};
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::sender::{Doors, ORIGIN, UNARY};
use tests::{Kit, assert_denied, serve};
use tonic::{Code, Request, Status};

use crate::introspection::canned::{active, introspection, server};
use crate::streams::scripted::{Call, Script, Scripted};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Hybrid forgets the `exp` that was verified.
#[tokio::test]
async fn a_stream_of_a_hybrid_token_ends_with_the_jwt() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, introspection().also_for_jwts()).await;
    let token = issuer.token().scopes(["read:word"]).expires_in(HOUR).sign();
    issuer.set_introspection_response(active(""));
    let service = Scripted::new(Script::Cue);
    let client = KindsClient::new(serve(auth.protect(service.clone())).await);
    let call = Call::start(&client, "Bidi", Some(&token), Script::Cue);
    until("open", async || service.open() == 1).await;
    issuer.clock().advance(2 * HOUR);
    until("the stream ends with its token", async || call.is_over()).await;
}

/// The clock is set back: a cached answer stays valid for as long as that.
#[tokio::test]
async fn a_clock_set_back_does_not_keep_a_revoked_token_alive() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, introspection()).await;
    let token = issuer.token().scopes(["read:word"]).expires_in(24 * HOUR).opaque();
    with(&auth, &token).await.unwrap();
    issuer.revoke(&token);
    // It was an hour ahead when the answer came; now it is right (iat stays within the leeway
    // of nothing that is asked here).
    issuer.clock().rewind(HOUR);
    issuer.clock().advance(30 * 60 * SECOND);
    assert!(with(&auth, &token).await.is_err(), "LET IN half an hour after it was revoked");
}

/// After a day the address is looked up again; if that hangs, the old one does not serve.
#[tokio::test]
async fn a_metadata_document_that_hangs_does_not_take_introspection_down() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, introspection()).await;
    let token = || issuer.token().scopes(["read:word"]).expires_in(HOUR).opaque();
    with(&auth, &token()).await.unwrap();
    issuer.clock().advance(25 * HOUR);
    issuer.fail(Endpoint::Discovery, Fault::Hang);
    let before = issuer.requests(Endpoint::Discovery);
    let (fresh, auth) = (token(), auth.clone());
    let waiting = tokio::spawn(async move { with(&auth, &fresh).await });
    until("it is looked up", async || issuer.requests(Endpoint::Discovery) > before).await;
    issuer.clock().advance(2 * SECOND);
    let answer = waiting.await.unwrap();
    assert!(answer.is_ok(), "introspection itself is up: {answer:?}");
}

#[derive(Debug)]
struct Panics;

impl ReplayStore for Panics {
    fn is_first_use<'s>(
        &'s self,
        _: DpopProofId,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>> {
        panic!("in the store")
    }
}

/// A panic in a user's replay store.
#[tokio::test]
async fn a_panic_in_a_replay_store_is_internal() {
    let doors = Doors::start(Dpop::for_origins([ORIGIN]).replay_store(Panics)).await;
    let token = doors.token();
    let logs = Logs::capture();
    let answer = doors.prove(&token, &doors.proof(&token)).await;
    assert_denied(answer, Code::Internal, "");
    assert!(logs.line_with("call denied").contains("the store of used DPoP proofs panicked"));
}

/// The token expires while the authorizer thinks.
#[tokio::test]
async fn a_token_that_expired_while_the_authorizer_thought_is_refused() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let asked = Arc::new(tokio::sync::Semaphore::new(0));
    let (in_gate, in_asked) = (Arc::clone(&gate), Arc::clone(&asked));
    let authorizer = move |_: AccessRequest| {
        let (gate, asked) = (Arc::clone(&in_gate), Arc::clone(&in_asked));
        async move {
            asked.add_permits(1);
            gate.acquire().await?.forget();
            Ok(AccessDecision::Allow)
        }
    };
    let builder = issuer.resource_server().authorizer(authorizer);
    let auth = builder.authorizer_timeout(30 * SECOND).build().await.unwrap();
    let handlers = Counting::default();
    let channel = serve(auth.protect(handlers.clone())).await;
    for method in ["Unary", "ServerStream"] {
        let token = issuer.token().scopes(["read:word"]).expires_in(10 * SECOND).sign();
        // 1 s before `exp` + leeway.
        issuer.clock().advance(39 * SECOND);
        let mut client = KindsClient::new(channel.clone());
        let waiting =
            tokio::spawn(async move { call(&mut client, method, Some(&token)).await.map(|_| ()) });
        asked.acquire().await.unwrap().forget();
        issuer.clock().advance(25 * SECOND);
        gate.add_permits(1);
        let answer = waiting.await.unwrap();
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
    }
    assert_eq!(handlers.reached_in_all(), 0, "the handler ran 24 s after the token's end");
}

/// The same, `verify()` for a hybrid token: when does it expire?
#[tokio::test]
async fn hybrid_tells_the_expiry_that_was_verified() {
    let kit = Kit::start().await;
    let auth = server(&kit.issuer, introspection().also_for_jwts()).await;
    let token = kit.issuer.token().expires_in(HOUR).sign();
    let token = BearerToken::parse(&token).unwrap();
    let plain = kit.auth.verify(&token).await.unwrap().expires_at();
    kit.issuer.set_introspection_response(active(""));
    assert_eq!(auth.verify(&token).await.unwrap().expires_at(), plain);
}

/// A Redis, or a proxy of one, that answers something else than `OK` or nil.
#[tokio::test]
async fn a_redis_that_answers_nonsense_lets_no_proof_in() {
    let mut wrong = Vec::new();
    for nonsense in ["+QUEUED", "+PONG", ":0", "$3\r\nabc", "$0\r\n", "*0"] {
        let redis = tests::resp::FakeRedis::start().await;
        let store = grpc_auth::RedisReplayStore::new(&Redis::new(&redis.url()).unwrap());
        let doors = Doors::start(Dpop::for_origins([ORIGIN]).replay_store(store)).await;
        let token = doors.token();
        let proof = doors.proof(&token);
        redis.fail(Some(nonsense));
        let answers = [doors.prove(&token, &proof).await, doors.prove(&token, &proof).await];
        let let_in = answers.iter().filter(|answer| answer.is_ok()).count();
        if let_in > 0 {
            wrong.push(nonsense);
        }
    }
    assert!(wrong.is_empty(), "one proof was let in twice: {wrong:?}");
}

/// Answers at its third poll.
#[derive(Debug, Default)]
struct SlowStore(Mutex<HashSet<String>>);

impl ReplayStore for SlowStore {
    fn is_first_use<'s>(
        &'s self,
        proof: DpopProofId,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            Ok(self.0.lock().unwrap().insert(proof.id()))
        })
    }
}

/// First for keys, then for the store of used proofs; another call needs both as well.
#[tokio::test]
async fn a_call_that_is_dropped_at_any_poll_leaves_keys_and_proofs_to_others() {
    async fn prove(auth: &ResourceServer, token: &str, proof: &str) -> Result<(), Status> {
        let mut client = KindsClient::new(auth.protect(Counting::default()));
        let mut request = Request::new(Word::default());
        request.metadata_mut().insert("authorization", format!("DPoP {token}").parse().unwrap());
        request.metadata_mut().insert("dpop", proof.parse().unwrap());
        client.unary(request).await.map(drop)
    }
    for polls in 0.. {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let dpop = Dpop::for_origins([ORIGIN]).replay_store(SlowStore::default());
        let auth =
            issuer.resource_server().start(StartupPolicy::Lazy).dpop(dpop).build().await.unwrap();
        let key = issuer.dpop_key();
        let token = issuer.token().scopes(["read:word"]).bound_to_key(&key).sign();
        let [one, other] = [(); 2].map(|()| key.proof(UNARY, &token).sign());
        let mut dropped = Box::pin(prove(&auth, &token, &one));
        for _ in 0..polls {
            let polled = dropped.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if polled.is_ready() {
                assert!(polls > 3, "it waited for nothing");
                return;
            }
            tokio::task::yield_now().await;
        }
        drop(dropped);
        prove(&auth, &token, &other).await.unwrap();
        assert_eq!(issuer.requests(Endpoint::Jwks), 1, "dropped after {polls} polls");
    }
}
