//! Proofs that were used.

use std::collections::HashSet;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_auth::testing::TestDpopKey;
use grpc_auth::{DpopProofId, ReplayStore, ReplayStoreError};
use tests::callers::settle;
use tests::sender::{Doors, Expected, UNARY};
use tests::serve;

use super::dpop;

#[tokio::test]
async fn a_proof_is_used_once() {
    let doors = Doors::start(dpop()).await;
    let token = doors.token();
    let (dpop, replayed) = (format!("DPoP {token}"), "the DPoP proof was used before");
    let id =
        |key: &TestDpopKey, token: &str| key.proof(UNARY, token).claim("jti", "the same").sign();
    let proof = id(&doors.key, &token);
    assert!(doors.prove(&token, &proof).await.is_ok());
    doors.refuses(&dpop, &[&proof], Expected::Proof, replayed).await;
    // Another proof of the key with the same name.
    let other = doors.key.proof(UNARY, &token).claim("jti", "the same").claim("x", 1).sign();
    doors.refuses(&dpop, &[&other], Expected::Proof, replayed).await;
    // The name belongs to its key.
    let key = doors.issuer.dpop_key();
    let others = doors.issuer.token().scopes(["read:word"]).bound_to_key(&key).sign();
    assert!(doors.prove(&others, &id(&key, &others)).await.is_ok());

    doors.issuer.clock().advance(Duration::from_secs(60));
    doors.refuses(&dpop, &[&proof], Expected::Proof, replayed).await;
    doors.issuer.clock().advance(Duration::from_secs(1));
    doors.refuses(&dpop, &[&proof], Expected::Proof, "is too old").await;
    assert!(doors.prove(&token, &id(&doors.key, &token)).await.is_ok());
    // A clock that goes back makes the first one young again, and it is forgotten by now.
    doors.issuer.clock().rewind(Duration::from_secs(30));
    doors.refuses(&dpop, &[&proof], Expected::Proof, replayed).await;
}

#[tokio::test]
async fn when_there_is_no_room_to_remember_proofs_calls_are_answered_unavailable() {
    let doors = Doors::start(dpop().replay_entries(2).replay_entries_per_key(1)).await;
    let token =
        |key: &TestDpopKey| doors.issuer.token().scopes(["read:word"]).bound_to_key(key).sign();
    let keys = [(); 3].map(|()| doors.issuer.dpop_key());
    let tokens = [&keys[0], &keys[1], &keys[2]].map(token);
    let proof = |n: usize| keys[n].proof(UNARY, &tokens[n]).sign();
    let dpop = |n: usize| format!("DPoP {}", tokens[n]);
    let full = Expected::Unavailable;

    let first = proof(0);
    assert!(doors.prove(&tokens[0], &first).await.is_ok());
    doors.refuses(&dpop(0), &[&proof(0)], full, "raise `Dpop::replay_entries_per_key`").await;
    assert!(doors.prove(&tokens[1], &proof(1)).await.is_ok());
    doors.refuses(&dpop(2), &[&proof(2)], full, "raise `Dpop::replay_entries`,").await;
    // Nothing that counts was forgotten.
    doors.refuses(&dpop(0), &[&first], Expected::Proof, "was used before").await;
    doors.issuer.clock().advance(Duration::from_secs(61));
    assert!(doors.prove(&tokens[2], &proof(2)).await.is_ok());
    assert!(doors.prove(&tokens[0], &proof(0)).await.is_ok());
}

/// Answers as configured, for all servers that it is given to.
#[derive(Clone, Debug, Default)]
struct Shared {
    used: Arc<Mutex<HashSet<String>>>,
    hangs: bool,
    fails: bool,
}

impl ReplayStore for Shared {
    fn is_first_use<'s>(
        &'s self,
        proof: DpopProofId,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>> {
        Box::pin(async move {
            if self.hangs {
                return pending().await;
            }
            if self.fails {
                return Err(ReplayStoreError::Unavailable("it is down"));
            }
            // It answers later, as a store elsewhere does.
            tokio::task::yield_now().await;
            assert_eq!((proof.id().len(), proof.key().len()), (43, 43));
            assert_eq!(proof.expires_in(), Duration::from_secs(60));
            Ok(self.used.lock().unwrap().insert(proof.id()))
        })
    }
}

#[tokio::test]
async fn a_proof_is_used_once_at_all_replicas_that_share_a_store() {
    let store = Shared::default();
    let mut doors = Doors::start(dpop().replay_store(store.clone())).await;
    let builder = doors.issuer.resource_server().dpop(dpop().replay_store(store));
    let replica = builder.build().await.unwrap();
    let token = doors.token();
    let (proof, other) = (doors.proof(&token), doors.proof(&token));
    assert!(doors.prove(&token, &proof).await.is_ok());
    doors.connect(serve(replica.protect(doors.handlers.clone())).await);
    let dpop = format!("DPoP {token}");
    doors.refuses(&dpop, &[&proof], Expected::Proof, "was used before").await;
    assert!(doors.prove(&token, &other).await.is_ok());
}

#[tokio::test]
async fn a_store_that_does_not_answer_lets_nobody_in() {
    let store = Shared { fails: true, ..Shared::default() };
    let doors = Doors::start(dpop().replay_store(store)).await;
    let token = doors.token();
    let dpop_token = format!("DPoP {token}");
    let cause = "does not answer: it is down";
    doors.refuses(&dpop_token, &[&doors.proof(&token)], Expected::Unavailable, cause).await;

    let doors =
        Doors::start(dpop().replay_store(Shared { hangs: true, ..Shared::default() })).await;
    let token = doors.token();
    let dpop_token = format!("DPoP {token}");
    let proof = doors.proof(&token);
    let proofs = [&*proof];
    let cause = "it took longer than 1 s";
    let mut call = pin!(doors.refuses(&dpop_token, &proofs, Expected::Unavailable, cause));
    // Nothing but the clock ends it.
    tokio::select! {
        () = &mut call => panic!("answered too early"),
        () = settle() => {}
    }
    doors.issuer.clock().advance(Duration::from_millis(999));
    tokio::select! {
        () = &mut call => panic!("answered too early"),
        () = settle() => {}
    }
    doors.issuer.clock().advance(Duration::from_millis(1));
    call.await;
}
