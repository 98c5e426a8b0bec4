//! Tokens that are bound to a key, on the requests of HTTP clients: from the embedded authorization
//! server to a resource that checks each proof by other means than this crate's.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::client::{DpopKey, OAuthClient, TokenSource};
use grpc_auth::testing::{Endpoint, TestAuthorizationServer};
use grpc_auth::{ClientAuthentication, Dpop};
use http::{HeaderMap, HeaderName, Request, Response};
use jsonwebtoken::jwk::ThumbprintHash;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tests::pb::kit::kinds_client::KindsClient;
use tests::sender::{Doors, ORIGIN};
use tests::{answers, assert_denied};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tonic::Code;
use tower_layer::Layer;
use tower_service::Service;

use super::word;

/// Lets in who proves, with the nonce of the moment, that the key of the token is theirs.
#[derive(Clone, Default)]
struct Resource(Arc<Mutex<Judged>>);

#[derive(Default)]
struct Judged {
    nonce: String,
    /// A token that is not taken any more.
    revoked: String,
    /// The proofs that were used.
    ids: HashSet<String>,
    outcomes: Vec<Result<(), &'static str>>,
}

impl Resource {
    fn wanting(nonce: &str) -> Self {
        let resource = Self::default();
        resource.0.lock().unwrap().nonce = nonce.into();
        resource
    }

    /// Listens, and gives the origin.
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (resource, own) = (self.clone(), origin.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = [0; 8192];
                let length = stream.read(&mut bytes).await.unwrap_or_default();
                let head = String::from_utf8_lossy(&bytes[..length]).into_owned();
                let mut lines = head.split("\r\n");
                let Some((method, rest)) = lines.next().and_then(|line| line.split_once(' '))
                else {
                    continue;
                };
                let url = format!("{own}{}", rest.split(' ').next().unwrap());
                let headers = lines.map_while(|line| line.split_once(": "));
                let headers: HeaderMap = headers
                    .map(|(name, value)| {
                        (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())
                    })
                    .collect();
                let answer = resource.answer(method, &url, &headers);
                let mut text =
                    format!("HTTP/1.1 {} X\r\nconnection: close\r\n", answer.status().as_u16());
                for (name, value) in answer.headers() {
                    text += &format!("{name}: {}\r\n", value.to_str().unwrap());
                }
                text += "content-length: 0\r\n\r\n";
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        origin
    }

    fn answer(&self, method: &str, url: &str, headers: &HeaderMap) -> Response<()> {
        let mut judged = self.0.lock().unwrap();
        let outcome = judged.judge(method, url, headers);
        judged.outcomes.push(outcome);
        let answer = Response::builder().status(if outcome.is_ok() { 200 } else { 401 });
        match outcome {
            Ok(()) => answer,
            Err("nonce") => answer
                .header("dpop-nonce", &judged.nonce)
                .header("www-authenticate", r#"DPoP error="use_dpop_nonce""#),
            Err(_) => answer.header("www-authenticate", r#"DPoP error="invalid_token""#),
        }
        .body(())
        .unwrap()
    }

    fn change_nonce(&self, nonce: &str) {
        self.0.lock().unwrap().nonce = nonce.into();
    }

    fn revoke(&self, token: &str) {
        self.0.lock().unwrap().revoked = token.into();
    }

    /// How requests ended since this was asked last.
    fn outcomes(&self) -> Vec<Result<(), &'static str>> {
        std::mem::take(&mut self.0.lock().unwrap().outcomes)
    }
}

impl Judged {
    /// RFC 9449 §4.3.
    fn judge(&mut self, method: &str, url: &str, headers: &HeaderMap) -> Result<(), &'static str> {
        let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        let token = of("authorization").and_then(|value| value.strip_prefix("DPoP "));
        let (token, proof) = (token.ok_or("scheme")?, of("dpop").ok_or("proof")?);
        if headers.get_all("dpop").iter().count() != 1 {
            return Err("proofs");
        }
        let header = decode_header(proof).map_err(|_| "header")?;
        let key = header.jwk.ok_or("jwk")?;
        if header.typ.as_deref() != Some("dpop+jwt") {
            return Err("typ");
        }
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let decoded = decode::<Value>(proof, &DecodingKey::from_jwk(&key).unwrap(), &validation);
        let claims = decoded.map_err(|_| "signature")?.claims;
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        let bound = token.split('.').nth(1).map(|claims| URL_SAFE_NO_PAD.decode(claims).unwrap());
        let bound: Value = serde_json::from_slice(&bound.ok_or("token")?).unwrap();
        for (is_so, reason) in [
            (claims["htm"] == method, "htm"),
            (claims["htu"] == url.split('?').next().unwrap(), "htu"),
            (claims["ath"] == URL_SAFE_NO_PAD.encode(hash), "ath"),
            (bound["cnf"]["jkt"] == key.thumbprint(ThumbprintHash::SHA256).unwrap(), "jkt"),
            (self.ids.insert(claims["jti"].as_str().unwrap().into()), "jti"),
            (claims.get("nonce").is_some_and(|nonce| *nonce == self.nonce), "nonce"),
            (token != self.revoked, "revoked"),
        ] {
            if !is_so {
                return Err(reason);
            }
        }
        Ok(())
    }
}

/// The embedded server, which asks for a nonce as well, and a source of tokens that it binds.
async fn tokens() -> (TestAuthorizationServer, TokenSource) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.require_dpop_nonce(true);
    let tokens = bound_tokens(&issuer);
    (issuer, tokens)
}

fn bound_tokens(issuer: &TestAuthorizationServer) -> TokenSource {
    issuer.add_client("caller", "s3cret", ["read:word"]);
    let client = ClientAuthentication::client_secret_basic("caller", "s3cret");
    let client = OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone());
    let request = client.client_credentials().audience(TestAuthorizationServer::AUDIENCE);
    request.dpop(DpopKey::generate().unwrap()).build().unwrap()
}

#[tokio::test]
async fn a_request_of_reqwests_proves_that_the_key_is_held() {
    let (issuer, tokens) = tokens().await;
    let resource = Resource::wanting("first");
    let origin = resource.listen().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    // It is asked for a nonce, has one from then on, and what is in the query is not proved.
    let orders = format!("{origin}/orders?after=1");
    for expected in [&[Err("nonce"), Ok(())][..], &[Ok(())]] {
        let answer = tokens.send(client.post(&orders).body("body")).await.unwrap();
        assert_eq!((answer.status().as_u16(), &*resource.outcomes()), (200, expected));
    }
    let answer = tokens.send(client.get(format!("{origin}/other"))).await.unwrap();
    assert_eq!((answer.status().as_u16(), &*resource.outcomes()), (200, &[Ok(())][..]));

    // The next nonce, and a request that the program sends itself.
    resource.change_nonce("second");
    for expected in [Err("nonce"), Err("nonce")] {
        let request = tokens.authorize(client.get(&orders)).await.unwrap();
        let _ = request.send().await.unwrap();
        assert_eq!(resource.outcomes(), [expected], "nobody read the answer");
    }
    let answer = tokens.send(client.get(&orders)).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &*resource.outcomes()),
        (200, &[Err("nonce"), Ok(())][..])
    );
    let request = tokens.authorize(client.delete(&orders)).await.unwrap();
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(resource.outcomes(), [Ok(())]);
    // One token, for which the embedded server wanted a nonce, too.
    assert_eq!(issuer.requests(Endpoint::Token), 2);

    // A token that is not taken any more: the other one is proved anew.
    resource.revoke(tokens.token().await.unwrap().token().expose_secret());
    let answer = tokens.send(client.get(&orders)).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &*resource.outcomes()),
        (200, &[Err("revoked"), Ok(())][..])
    );
    assert_eq!(issuer.requests(Endpoint::Token), 3);
}

/// The target of a redirect never saw the token: its answer says nothing about it.
#[tokio::test]
async fn a_stranger_at_the_end_of_a_redirect_gives_up_no_token() {
    let (issuer, tokens) = tokens().await;
    let stranger = answers::serve(|_| {
        "HTTP/1.1 401 Unauthorized\r\ndpop-nonce: strange\r\nwww-authenticate: DPoP \
         error=\"invalid_token\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_owned()
    })
    .await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let here = answers::serve(move |head| {
        seen.lock().unwrap().push(head.to_owned());
        format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {stranger}\r\ncontent-length: 0\r\n\
             connection: close\r\n\r\n"
        )
    })
    .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let before = tokens.token().await.unwrap();
    for _ in 0..2 {
        assert_eq!(tokens.send(client.get(&here)).await.unwrap().status(), 401);
    }
    assert_eq!(asked.lock().unwrap().len(), 2, "sent once more");
    let nonces = asked.lock().unwrap().iter().filter(|head| nonce_of(head).is_some()).count();
    assert_eq!(nonces, 0, "the stranger's nonce is not for the first");
    assert!(Arc::ptr_eq(&before, &tokens.token().await.unwrap()));
    assert_eq!(issuer.requests(Endpoint::Token), 2);
}

/// Of the proof in a request's head.
fn nonce_of(head: &str) -> Option<Value> {
    let proof = head.lines().find_map(|line| line.strip_prefix("dpop: "))?;
    let claims = URL_SAFE_NO_PAD.decode(proof.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&claims).ok()?.get("nonce").cloned()
}

#[tokio::test]
async fn a_proof_that_is_sent_again_is_not_taken() {
    let (_issuer, tokens) = tokens().await;
    let resource = Resource::wanting("first");
    let origin = resource.listen().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    tokens.send(client.get(&origin)).await.unwrap();
    resource.outcomes();
    let request = tokens.authorize(client.get(&origin)).await.unwrap();
    for expected in [Ok(()), Err("jti")] {
        let _ = request.try_clone().unwrap().send().await.unwrap();
        assert_eq!(resource.outcomes(), [expected]);
    }
    // Nor is one for another method or address.
    for (method, url, expected) in
        [("POST", &*format!("{origin}/"), "htm"), ("GET", &*format!("{origin}/other"), "htu")]
    {
        let request = tokens.authorize(client.get(&origin)).await.unwrap().build().unwrap();
        let answer = resource.answer(method, url, request.headers());
        assert_eq!((answer.status().as_u16(), resource.outcomes()), (401, vec![Err(expected)]));
    }
}

#[tokio::test]
async fn each_request_through_the_layer_for_http_proves_that_the_key_is_held() {
    let (issuer, tokens) = tokens().await;
    let resource = Resource::wanting("first");
    let at = resource.clone();
    let inner = tower::service_fn(move |request: Request<()>| {
        let url = request.uri().to_string();
        let answer = at.answer(request.method().as_str(), &url, request.headers());
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let mut client = tokens.http_layer().layer(inner);
    let mut call = async |method: &str, expected| {
        let request = Request::builder().method(method).uri("https://api.example.com/orders?a=b");
        std::future::poll_fn(|cx| client.poll_ready(cx)).await.unwrap();
        let answer = client.call(request.body(()).unwrap()).await.unwrap();
        assert_eq!(resource.outcomes(), [expected]);
        answer.status().as_u16()
    };
    // The body of a request is gone when it is answered: the caller has to send it again.
    assert_eq!(call("POST", Err("nonce")).await, 401);
    for method in ["POST", "GET", "DELETE", "GET"] {
        assert_eq!(call(method, Ok(())).await, 200);
    }
    resource.change_nonce("second");
    assert_eq!(call("GET", Err("nonce")).await, 401);
    assert_eq!(call("GET", Ok(())).await, 200);
    assert_eq!(issuer.requests(Endpoint::Token), 2);
    resource.revoke(tokens.token().await.unwrap().token().expose_secret());
    assert_eq!(call("GET", Err("revoked")).await, 401);
    assert_eq!(call("GET", Ok(())).await, 200);
    assert_eq!(issuer.requests(Endpoint::Token), 3);
}

/// The whole way round within this crate: embedded server, layer for HTTP, protected service.
#[tokio::test]
async fn a_protected_service_takes_what_the_layer_for_http_sends() {
    let doors = Doors::start(Dpop::for_origins([ORIGIN]).require_nonce()).await;
    let channel = tests::serve(doors.auth.protect(doors.handlers.clone())).await;
    let tokens = bound_tokens(&doors.issuer);
    let layer = tokens.http_layer();
    let mut client =
        KindsClient::with_origin(layer.layer(channel.clone()), ORIGIN.parse().unwrap());
    assert_denied(client.unary(word()).await, Code::Unauthenticated, "DPOP_NONCE_REQUIRED");
    for _ in 0..3 {
        client.unary(word()).await.unwrap();
    }
    assert_eq!(doors.handlers.reached("Unary"), 3);
    let elsewhere = "https://elsewhere.example.com".parse().unwrap();
    let mut elsewhere = KindsClient::with_origin(layer.layer(channel), elsewhere);
    let refused = elsewhere.unary(word()).await;
    assert_denied(refused, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert_eq!(doors.issuer.requests(Endpoint::Token), 1);
}
