//! Tokens that are bound to their sender, and what decides beyond the rule.

use grpc_auth::server::{AccessDecision, AccessRequest};
use grpc_auth::{Claims, Dpop, Redis, RedisReplayStore};
use serde::Deserialize;
use serde_json::json;
use tests::Kit;
use tests::kinds::{Counting, call};
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::right_client::RightClient;
use tests::pb::kit::right_server::{Right, RightServer};
use tests::resp::FakeRedis;
use tests::sender::{Doors, ORIGIN, UNARY};
use tonic::{Request, Response, Status};

use super::Seen;

pub(super) async fn proved(seen: &Seen) {
    let settings = Dpop::for_origins([ORIGIN]);
    seen.debug("how proofs are checked", &settings);
    let doors = Doors::start(settings).await;
    seen.debug("a client's key", &doors.key);
    let jti = seen.secret("a proof's id", "canary-proof-id");
    let token = seen.token("a bound token", doors.token());
    let proof = || doors.key.proof(UNARY, &token).claim("jti", &jti);
    let good = seen.token("a proof", proof().sign());
    doors.prove(&token, &good).await.unwrap();
    for (what, proof) in [
        ("a proof that was used", good.clone()),
        ("a forged proof", proof().sign_with_wrong_key()),
        ("a proof for another method", proof().claim("htm", "canary-htm").sign()),
        ("a proof for another address", proof().claim("htu", "https://canary-htu/").sign()),
        ("no proof", "canary-no-proof".into()),
    ] {
        let proof = seen.token(what, proof);
        let status = doors.prove(&token, &proof).await.unwrap_err();
        assert!(!seen.refusal(what, &status).is_empty(), "{what}");
    }
    for claim in ["canary-htm", "canary-htu"] {
        seen.secret("a claim of a proof", claim);
    }
    let status = doors.call(&format!("Bearer {token}"), &[]).await.unwrap_err();
    assert_eq!(seen.refusal("a bound token sent plain", &status), "ACCESS_TOKEN_INVALID");
    seen.debug("a server that checks proofs", &doors.auth);

    let doors = Doors::start(Dpop::for_origins([ORIGIN]).require_nonce()).await;
    let token = seen.token("a bound token", doors.token());
    let proof = seen.token("a proof without nonce", doors.proof(&token));
    let status = doors.prove(&token, &proof).await.unwrap_err();
    assert_eq!(seen.refusal("no nonce", &status), "DPOP_NONCE_REQUIRED");

    // Its user may not ask for more.
    let redis = FakeRedis::start().await;
    redis.set_uptime(None);
    let store = RedisReplayStore::new(&Redis::new(&redis.url()).unwrap());
    seen.debug("a store of used proofs", &store);
    let doors = Doors::start(Dpop::for_origins([ORIGIN]).replay_store(store)).await;
    let token = seen.token("a bound token", doors.token());
    let proof = seen.token("a proof that is shared", doors.proof(&token));
    doors.prove(&token, &proof).await.unwrap();
}

#[derive(Debug, Deserialize)]
struct Tenant {
    tenant: String,
}

fn is_blue(claims: &Claims<Tenant>, _: &Word) -> bool {
    if claims.tenant.ends_with("panics") {
        // Without a word on stderr.
        std::panic::resume_unwind(Box::new(()));
    }
    claims.tenant == "blue"
}

struct Required;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Right for Required {
    #[authenticated]
    #[require(is_blue)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) async fn required(seen: &Seen) {
    let kit = Kit::start().await;
    let mut client = RightClient::new(kit.auth.protect(Required));
    for (tenant, reason) in
        [("canary-tenant", "PERMISSION_DENIED_BY_POLICY"), ("canary-panics", "")]
    {
        seen.secret("a claim that is judged", tenant);
        let token = kit.issuer.token().claim("tenant", json!(tenant)).sign();
        let token = seen.token("a token that is judged", token);
        let status = client.get(tests::with_token(Word::default(), &token)).await.unwrap_err();
        assert_eq!(seen.refusal("a requirement", &status), reason);
    }
}

pub(super) async fn authorized(seen: &Seen) {
    let kit = Kit::start().await;
    let subject = seen.secret("subject", "canary-authorized");
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = std::sync::Arc::clone(&asked);
    let deny = move |request: AccessRequest| {
        told.lock().unwrap().push(format!("{request:?}"));
        async { Ok::<_, grpc_auth::server::AuthorizerError>(AccessDecision::Deny) }
    };
    let auth = kit.issuer.resource_server().authorizer(deny).build().await.unwrap();
    seen.debug("a server with an authorizer", &auth);
    let token = kit.issuer.token().subject(subject).scopes(["read:word"]).sign();
    let token = seen.token("a token an authorizer judges", token);
    let mut client = KindsClient::new(auth.protect(Counting::default()));
    let status = call(&mut client, "Unary", Some(&token)).await.unwrap_err();
    assert_eq!(seen.refusal("an authorizer", &status), "PERMISSION_DENIED_BY_POLICY");
    for request in asked.lock().unwrap().drain(..) {
        seen.shows("what an authorizer is asked", request);
    }
}
