//! A restart forgets which proofs were used: none of them is accepted afterwards.

use std::collections::HashSet;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use grpc_auth::{Dpop, DpopProofId, ReplayStore, ReplayStoreError};
use tests::sender::{Doors, Expected, UNARY};
use tests::serve;

use super::dpop;

const SECOND: Duration = Duration::from_secs(1);
const BEFORE: &str = "was made before this server, or the store in `Dpop::replay_store`, began to";
const AT_START: &str = "may have been used before this server, or the store in";

/// Replaces the resource server by a new one, as a restart of its process does.
pub(super) async fn restart(doors: &mut Doors, dpop: Dpop) {
    let auth = doors.issuer.resource_server().dpop(dpop).build().await.unwrap();
    doors.connect(serve(auth.protect(doors.handlers.clone())).await);
}

fn seconds(doors: &Doors) -> u64 {
    let now = doors.issuer.clock().now();
    now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// The nonce that a call with this proof is given.
async fn nonce_for(doors: &Doors, token: &str, proof: &str) -> String {
    let status = doors.prove(token, proof).await.unwrap_err();
    status.metadata().get("dpop-nonce").unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_proof_from_before_a_restart_is_rejected_and_a_new_one_is_accepted_at_once() {
    let mut doors = Doors::start(dpop()).await;
    let token = doors.token();
    let authorization = format!("DPoP {token}");
    let (used, unused) = (doors.proof(&token), [(); 3].map(|()| doors.proof(&token)));
    assert!(doors.prove(&token, &used).await.is_ok());
    for unused in &unused[..2] {
        doors.issuer.clock().advance(SECOND);
        restart(&mut doors, dpop()).await;
        doors.refuses(&authorization, &[&used], Expected::Proof, BEFORE).await;
        doors.refuses(&authorization, &[unused], Expected::Proof, BEFORE).await;
        let new = doors.proof(&token);
        assert!(doors.prove(&token, &new).await.is_ok());
        doors.refuses(&authorization, &[&new], Expected::Proof, "was used before").await;
    }
    // It stays so for as long as the proof could be used.
    doors.issuer.clock().advance(58 * SECOND);
    doors.refuses(&authorization, &[&unused[2]], Expected::Proof, BEFORE).await;
}

/// Its `iat` is after the restart, and it was used before.
#[tokio::test]
async fn a_proof_of_a_client_whose_clock_is_ahead_is_not_accepted_again() {
    let mut doors = Doors::start(dpop()).await;
    doors.issuer.clock().advance(60 * SECOND);
    let token = doors.token();
    let authorization = format!("DPoP {token}");
    let now = seconds(&doors);
    let ahead = |seconds: u64| doors.key.proof(UNARY, &token).claim("iat", now + seconds).sign();
    let proofs = [ahead(3), ahead(4), ahead(5)];
    for proof in &proofs {
        assert!(doors.prove(&token, proof).await.is_ok());
    }
    doors.issuer.clock().advance(SECOND);
    restart(&mut doors, dpop()).await;
    for _ in 0..60 {
        for proof in &proofs {
            let answer = doors.prove(&token, proof).await;
            assert!(answer.is_err(), "let in {:?} after the restart", seconds(&doors) - now - 1);
        }
        doors.issuer.clock().advance(SECOND);
    }

    // Until the clock skew has passed, a new proof needs a nonce.
    restart(&mut doors, dpop()).await;
    doors.issuer.clock().advance(SECOND);
    let new = doors.proof(&token);
    doors.refuses(&authorization, &[&new], Expected::Nonce, AT_START).await;
    let nonce = nonce_for(&doors, &token, &doors.proof(&token)).await;
    let proof = doors.key.proof(UNARY, &token).nonce(&nonce).sign();
    assert!(doors.prove(&token, &proof).await.is_ok());
    doors.refuses(&authorization, &[&proof], Expected::Proof, "was used before").await;
    doors.issuer.clock().advance(3 * SECOND);
    doors.refuses(&authorization, &[&doors.proof(&token)], Expected::Nonce, AT_START).await;
    doors.issuer.clock().advance(SECOND);
    assert!(doors.prove(&token, &doors.proof(&token)).await.is_ok());
}

/// In whole seconds a proof of the second of the start may be older or younger than it.
#[tokio::test]
async fn a_proof_of_the_same_second_needs_a_nonce() {
    let mut doors = Doors::start(dpop()).await;
    let token = doors.token();
    let authorization = format!("DPoP {token}");
    let now = seconds(&doors);
    let used = doors.key.proof(UNARY, &token).claim("iat", now).sign();
    assert!(doors.prove(&token, &used).await.is_ok());
    doors.issuer.clock().advance(Duration::from_micros(500_001));
    restart(&mut doors, dpop()).await;
    doors.refuses(&authorization, &[&used], Expected::Nonce, AT_START).await;
    let other = doors.key.proof(UNARY, &token).claim("iat", now).sign();
    let nonce = nonce_for(&doors, &token, &other).await;
    let proof = doors.key.proof(UNARY, &token).claim("iat", now).nonce(&nonce).sign();
    assert!(doors.prove(&token, &proof).await.is_ok());
    // The testing key writes fractions.
    assert!(doors.prove(&token, &doors.proof(&token)).await.is_ok());
}

#[tokio::test]
async fn with_nonces_a_client_is_asked_for_a_new_one() {
    let own = || dpop().require_nonce();
    let shared = || dpop().shared_nonce_key(vec![7; 32]);
    for (settings, cause) in [
        (&own as &dyn Fn() -> Dpop, "has no nonce, or an old one"),
        // The nonce itself would do: it is from before the restart, as the proof may be.
        (&shared, AT_START),
    ] {
        let mut doors = Doors::start(settings()).await;
        let token = doors.token();
        let authorization = format!("DPoP {token}");
        let nonce = nonce_for(&doors, &token, &doors.proof(&token)).await;
        let used = doors.key.proof(UNARY, &token).nonce(&nonce).sign();
        assert!(doors.prove(&token, &used).await.is_ok());
        for pause in [SECOND, SECOND / 1000] {
            doors.issuer.clock().advance(pause);
            restart(&mut doors, settings()).await;
            doors.refuses(&authorization, &[&used], Expected::Nonce, cause).await;
            let nonce = nonce_for(&doors, &token, &doors.proof(&token)).await;
            // A proof of a client whose clock is behind, too.
            for behind in [0, 10] {
                let proof = doors.key.proof(UNARY, &token).nonce(&nonce);
                let proof = proof.claim("iat", seconds(&doors) - behind).sign();
                assert!(doors.prove(&token, &proof).await.is_ok());
            }
        }
    }
}

/// Outlives the servers that it is given to, if it says so.
#[derive(Clone, Debug, Default)]
struct Outliving {
    used: Arc<Mutex<HashSet<String>>>,
    since: Option<SystemTime>,
}

impl ReplayStore for Outliving {
    fn is_first_use<'s>(
        &'s self,
        proof: DpopProofId,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>> {
        Box::pin(ready(Ok(self.used.lock().unwrap().insert(proof.id()))))
    }

    fn remembers_since(&self) -> Option<SystemTime> {
        self.since
    }
}

#[tokio::test]
async fn a_store_that_outlives_the_server_says_since_when_it_remembers() {
    for says in [false, true] {
        let store =
            Outliving { since: says.then_some(SystemTime::UNIX_EPOCH), ..Outliving::default() };
        let settings = || dpop().replay_store(store.clone());
        let mut doors = Doors::start(settings()).await;
        let token = doors.token();
        let authorization = format!("DPoP {token}");
        let (used, unused) = (doors.proof(&token), doors.proof(&token));
        assert!(doors.prove(&token, &used).await.is_ok());
        doors.issuer.clock().advance(SECOND);
        restart(&mut doors, settings()).await;
        doors.refuses(&authorization, &[&used], Expected::Proof, "was used before").await;
        if says {
            assert!(doors.prove(&token, &unused).await.is_ok());
        } else {
            doors.refuses(&authorization, &[&unused], Expected::Proof, BEFORE).await;
        }
    }
}
