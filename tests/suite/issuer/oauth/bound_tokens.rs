//! Tokens that are bound to the key of the client that requested them (RFC 9449 §5).

use std::time::Duration;

use grpc_auth::Dpop;
use grpc_auth::testing::{ProofBuilder, TestDpopKey};
use serde_json::{Value, json};
use tests::sender::{Doors, ORIGIN, UNARY};

use super::{Answer, Oauth, changed, claims, redeeming};

impl Oauth {
    /// A proof for the token endpoint.
    fn proof(&self, key: &TestDpopKey) -> ProofBuilder {
        key.proof(&self.issuer.token_endpoint(), "").without_claim("ath")
    }

    async fn proved(&self, form: &[(&str, &str)], proofs: &[String]) -> (Answer, Option<String>) {
        let mut request = self.http.post(self.issuer.token_endpoint()).form(form);
        for proof in proofs {
            request = request.header("dpop", proof);
        }
        let response = request.send().await.unwrap();
        let nonce = response.headers().get("dpop-nonce");
        let nonce = nonce.map(|nonce| nonce.to_str().unwrap().to_owned());
        (Answer::of(response).await, nonce)
    }

    async fn with_proof(&self, form: &[(&str, &str)], proof: ProofBuilder) -> Answer {
        self.proved(form, &[proof.sign()]).await.0
    }
}

const OWN: [(&str, &str); 4] = [
    ("grant_type", "client_credentials"),
    ("client_id", "web"),
    ("client_secret", "web's secret"),
    ("audience", super::AUDIENCE),
];

fn refreshing(token: &Value) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", "cli"),
        ("refresh_token", token.as_str().unwrap()),
    ]
}

#[tokio::test]
async fn a_token_is_bound_to_the_key_of_the_proof() {
    let oauth = Oauth::start().await;
    let key = oauth.issuer.dpop_key();
    let answer = oauth.with_proof(&OWN, oauth.proof(&key)).await.granted();
    assert_eq!(answer["token_type"], "DPoP");
    let token = claims(&answer["access_token"]);
    assert_eq!(token["cnf"], json!({"jkt": key.thumbprint()}));
    let known = oauth.introspect(&answer["access_token"]).await;
    assert_eq!((&known["token_type"], &known["cnf"]), (&json!("DPoP"), &token["cnf"]));
    // Opaque ones, codes and exchanges as well.
    let opaque = oauth.with_proof(&OWN[..3], oauth.proof(&key)).await.granted();
    assert_eq!(oauth.introspect(&opaque["access_token"]).await["cnf"], token["cnf"]);
    let code = oauth.code(&[]);
    let answer = oauth.with_proof(&redeeming(&code), oauth.proof(&key)).await.granted();
    assert_eq!(claims(&answer["access_token"])["cnf"], token["cnf"]);
    // Without a proof there is no binding.
    let answer = oauth.token(&OWN).await.granted();
    assert_eq!(answer["token_type"], "Bearer");
    assert!(claims(&answer["access_token"]).get("cnf").is_none());
}

/// The whole way round: from the proof for the token to the proof for the call.
#[tokio::test]
async fn a_resource_server_takes_it_with_the_same_key_alone() {
    let doors = Doors::start(Dpop::for_origins([ORIGIN])).await;
    doors.issuer.add_client("web", "web's secret", ["read:word"]);
    let proof = doors.key.proof(&doors.issuer.token_endpoint(), "").without_claim("ath").sign();
    let request = reqwest::Client::new().post(doors.issuer.token_endpoint()).form(&OWN);
    let answer = Answer::of(request.header("dpop", proof).send().await.unwrap()).await.granted();
    let token = answer["access_token"].as_str().unwrap().to_owned();
    let proof = doors.key.proof(UNARY, &token).sign();
    doors.prove(&token, &proof).await.unwrap();
    let other = doors.issuer.dpop_key().proof(UNARY, &token).sign();
    let refused = doors.prove(&token, &other).await;
    tests::assert_denied(refused, tonic::Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

#[tokio::test]
async fn a_proof_that_is_wrong_is_refused_for_its_reason() {
    let oauth = Oauth::start().await;
    let key = oauth.issuer.dpop_key();
    let proof = || oauth.proof(&key);
    let now = oauth.issuer.clock().now();
    for (wrong, reason) in [
        (proof().claim("htm", "GET").sign(), "`htm` is not `POST`"),
        (proof().claim("htu", oauth.at("oauth/revoke")).sign(), "`htu` is not"),
        (proof().claim("htu", "https://evil.example/oauth/token").sign(), "`htu` is not"),
        (proof().issued_at(now - Duration::from_secs(62)).sign(), "`iat` is not now"),
        (proof().issued_at(now + Duration::from_secs(7)).sign(), "`iat` is not now"),
        (proof().sign_with_wrong_key(), "signature"),
        (proof().header("typ", "JWT").sign(), "RFC 9449 §4.2"),
        (proof().without_claim("jti").sign(), "RFC 9449 §4.2"),
        ("no proof".to_owned(), "RFC 9449 §4.2"),
    ] {
        let (answer, nonce) = oauth.proved(&OWN, &[wrong]).await;
        answer.assert_refused_because("invalid_dpop_proof", reason);
        assert_eq!(nonce, None);
    }
    let two = [proof().sign(), proof().sign()];
    let (answer, _) = oauth.proved(&OWN, &two).await;
    answer.assert_refused_because("invalid_dpop_proof", "several proofs");
    let once = [proof().sign()];
    oauth.proved(&OWN, &once).await.0.granted();
    let (answer, _) = oauth.proved(&OWN, &once).await;
    answer.assert_refused_because("invalid_dpop_proof", "used before");
}

#[tokio::test]
async fn a_nonce_is_demanded_when_the_test_wants_it() {
    let oauth = Oauth::start().await;
    let key = oauth.issuer.dpop_key();
    oauth.issuer.require_dpop_nonce(true);
    let (answer, nonce) = oauth.proved(&OWN, &[oauth.proof(&key).sign()]).await;
    answer.assert_refused(400, "use_dpop_nonce");
    let nonce = nonce.unwrap();
    let (answer, next) = oauth.proved(&OWN, &[oauth.proof(&key).nonce(&nonce).sign()]).await;
    answer.granted();
    assert_eq!(next.as_deref(), Some(&*nonce));
    let (answer, _) = oauth.proved(&OWN, &[oauth.proof(&key).nonce("made up").sign()]).await;
    answer.assert_refused(400, "use_dpop_nonce");
    // It is good for some minutes.
    oauth.issuer.clock().advance(Duration::from_secs(600));
    let (answer, newer) = oauth.proved(&OWN, &[oauth.proof(&key).nonce(&nonce).sign()]).await;
    answer.assert_refused(400, "use_dpop_nonce");
    assert_ne!(newer.unwrap(), nonce);
    oauth.issuer.require_dpop_nonce(false);
    let (answer, nonce) = oauth.proved(&OWN, &[oauth.proof(&key).sign()]).await;
    answer.granted();
    assert_eq!(nonce, None);
}

#[tokio::test]
async fn a_public_clients_refresh_token_is_bound_to_its_key() {
    let oauth = Oauth::start().await;
    let (key, other) = (oauth.issuer.dpop_key(), oauth.issuer.dpop_key());
    let code = oauth.code(&[]);
    let first = oauth.with_proof(&redeeming(&code), oauth.proof(&key)).await.granted();
    let form = refreshing(&first["refresh_token"]);
    let reason = "bound to another key";
    oauth.token(&form).await.assert_refused_because("invalid_grant", reason);
    let refused = oauth.with_proof(&form, oauth.proof(&other)).await;
    refused.assert_refused_because("invalid_grant", reason);
    let second = oauth.with_proof(&form, oauth.proof(&key)).await.granted();
    assert_eq!(claims(&second["access_token"])["cnf"]["jkt"], key.thumbprint());
    let form = refreshing(&second["refresh_token"]);
    oauth.token(&form).await.assert_refused_because("invalid_grant", reason);
}

/// It has a secret to show whose its refresh token is, and may change its key.
#[tokio::test]
async fn a_confidential_clients_refresh_token_is_not() {
    let oauth = Oauth::start().await;
    let web = [("client_id", "web"), ("client_secret", "web's secret")];
    let code = oauth.code(&[("client_id", "web")]);
    let form = changed(redeeming(&code), &web);
    let first = oauth.with_proof(&form, oauth.proof(&oauth.issuer.dpop_key())).await.granted();
    let form = changed(refreshing(&first["refresh_token"]), &web);
    let key = oauth.issuer.dpop_key();
    let second = oauth.with_proof(&form, oauth.proof(&key)).await.granted();
    assert_eq!(claims(&second["access_token"])["cnf"]["jkt"], key.thumbprint());
}

#[tokio::test]
async fn a_code_can_be_bound_before_it_is_made() {
    let oauth = Oauth::start().await;
    let (key, other) = (oauth.issuer.dpop_key(), oauth.issuer.dpop_key());
    let code = oauth.code(&[("dpop_jkt", &key.thumbprint())]);
    let reason = "another than `dpop_jkt`";
    oauth.redeem(&code).await.assert_refused_because("invalid_grant", reason);
    let refused = oauth.with_proof(&redeeming(&code), oauth.proof(&other)).await;
    refused.assert_refused_because("invalid_grant", reason);
    oauth.with_proof(&redeeming(&code), oauth.proof(&key)).await.granted();
}
