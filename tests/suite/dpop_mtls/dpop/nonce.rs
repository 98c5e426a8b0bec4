//! Nonces, where the server asks for them.

use std::time::Duration;

use tests::sender::{Doors, Expected, UNARY};
use tests::serve;

use super::dpop;

#[tokio::test]
async fn a_nonce_is_asked_for_and_given_with_the_refusal() {
    for dpop in [dpop().require_nonce(), dpop().shared_nonce_key(vec![7; 32])] {
        let doors = Doors::start(dpop).await;
        let token = doors.token();
        let authorization = format!("DPoP {token}");
        let cause = "has no nonce, or an old one";
        let proof = || doors.key.proof(UNARY, &token).claim("jti", "one");
        let (bare, wrong) = (proof().sign(), proof().nonce("wrong").sign());
        doors.refuses(&authorization, &[&bare], Expected::Nonce, cause).await;
        doors.refuses(&authorization, &[&wrong], Expected::Nonce, cause).await;
        // Only a proof that is right in all else is answered with a nonce.
        let forged = proof().sign_with_wrong_key();
        doors.refuses(&authorization, &[&forged], Expected::Proof, "the signature of").await;

        let status = doors.prove(&token, &bare).await.unwrap_err();
        let nonce = status.metadata().get("dpop-nonce").unwrap().to_str().unwrap().to_owned();
        let good = proof().nonce(&nonce).sign();
        assert!(doors.prove(&token, &good).await.is_ok());
        doors.refuses(&authorization, &[&good], Expected::Proof, "was used before").await;

        doors.issuer.clock().advance(Duration::from_secs(300));
        let later = || doors.key.proof(UNARY, &token).nonce(&nonce).sign();
        assert!(doors.prove(&token, &later()).await.is_ok());
        doors.issuer.clock().advance(Duration::from_secs(300));
        doors.refuses(&authorization, &[&later()], Expected::Nonce, cause).await;
    }
}

#[tokio::test]
async fn replicas_accept_each_others_nonces_where_they_share_the_key() {
    let shared = || dpop().shared_nonce_key(vec![7; 32]);
    for (one, other, is_shared) in [
        (dpop().require_nonce(), dpop().require_nonce(), false),
        (shared(), shared(), true),
        (shared(), dpop().shared_nonce_key(vec![8; 32]), false),
        (shared(), shared().require_nonce(), true),
    ] {
        let doors = Doors::start(one).await;
        let builder = doors.issuer.resource_server().dpop(other);
        let replica = builder.build().await.unwrap();
        let token = doors.token();
        let status = doors.prove(&token, &doors.proof(&token)).await.unwrap_err();
        let nonce = status.metadata().get("dpop-nonce").unwrap().to_str().unwrap();
        let proof = doors.key.proof(UNARY, &token).nonce(nonce).sign();
        let mut doors = doors;
        doors.connect(serve(replica.protect(doors.handlers.clone())).await);
        assert_eq!(doors.prove(&token, &proof).await.is_ok(), is_shared);
    }
}
