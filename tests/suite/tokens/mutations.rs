//! A valid token, changed anywhere by anything small, is no token any more: not even while the
//! valid one is remembered.

use std::convert::Infallible;

use grpc_auth::server::Protect;
use grpc_auth::testing::TestAuthorizationServer;
use grpc_auth::{Algorithm, BearerToken, ResourceServer};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use tests::kinds::Counting;
use tests::pb::kit::kinds_server::KindsServer;
use tonic::body::Body;
use tonic::codegen::Service;

/// What is inserted: all that a token consists of and borders on, and what no text has in it.
const INSERTED: &[u8] = b"ABCDEFQabcdefgwxyz0189-_.=~+/ ,;\"%\0\t\n\r\x7f\x80\xc3\xff";

/// One in so many goes through the layer as well.
const SAMPLED: usize = 7;

struct Doors {
    auth: ResourceServer,
    service: Protect<KindsServer<Counting>>,
    handlers: Counting,
    tried: usize,
    /// How many were texts that a token can be, and how many were sent in metadata.
    judged: usize,
    sent: usize,
}

impl Doors {
    fn new(auth: ResourceServer) -> Self {
        let handlers = Counting::default();
        let service = auth.protect(handlers.clone());
        Self { auth, service, handlers, tried: 0, judged: 0, sent: 0 }
    }

    async fn verifies(&self, token: &BearerToken) -> bool {
        self.auth.verify(token).await.is_ok()
    }

    /// The `grpc-status` of a call, which is in the headers if the layer gave it.
    async fn call(&mut self, value: HeaderValue) -> Option<String> {
        let mut request = Request::post("/kit.v1.Kinds/Bidi").body(Body::empty()).unwrap();
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert(AUTHORIZATION, value);
        let answer: Result<Response<Body>, Infallible> = self.service.call(request).await;
        let Ok(answer) = answer;
        answer.headers().get("grpc-status").map(|status| status.to_str().unwrap().to_owned())
    }

    async fn refuse(&mut self, token: &[u8]) {
        self.tried += 1;
        let bearer = std::str::from_utf8(token).ok().and_then(BearerToken::parse);
        if let Some(bearer) = &bearer {
            self.judged += 1;
            assert!(!self.verifies(bearer).await, "accepted: {:?}", token.escape_ascii());
        }
        if bearer.is_none() || self.tried.is_multiple_of(SAMPLED) {
            let value = HeaderValue::from_bytes(&[b"Bearer ", token].concat());
            let Ok(value) = value else { return };
            self.sent += 1;
            let status = self.call(value).await;
            // Another `kid` may be that of a new key, and so many cause no fetch: UNAVAILABLE.
            let is_refused = matches!(status.as_deref(), Some("16" | "14"));
            assert!(is_refused, "{status:?}: {:?}", token.escape_ascii());
        }
    }

    async fn refuse_variants(&mut self, token: &[u8]) {
        for place in 0..token.len() {
            for bit in 0..8 {
                let mut flipped = token.to_vec();
                flipped[place] ^= 1 << bit;
                self.refuse(&flipped).await;
            }
            self.refuse(&token[..place]).await;
            self.refuse(&token[place + 1..]).await;
        }
        for place in 0..=token.len() {
            // Several spaces may follow the scheme (RFC 9110 §11.4).
            let is_spaced = |byte: &u8| place == 0 && *byte == b' ';
            for byte in INSERTED.iter().filter(|byte| !is_spaced(byte)) {
                let mut longer = token.to_vec();
                longer.insert(place, *byte);
                self.refuse(&longer).await;
            }
        }
    }
}

#[tokio::test]
async fn no_small_change_to_a_valid_token_is_accepted() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().build().await.unwrap();
    let mut doors = Doors::new(auth);
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let token = issuer.token().algorithm(algorithm).sign();
        let bearer = BearerToken::parse(&token).unwrap();
        assert!(doors.verifies(&bearer).await);
        // Nothing but the layer refuses: this one is let in.
        assert_eq!(doors.call(bearer.header_value()).await, None);
        doors.refuse_variants(token.as_bytes()).await;
        assert!(doors.verifies(&bearer).await, "{algorithm}: the valid token is refused");
    }
    let Doors { tried, judged, sent, .. } = doors;
    println!("mutations: {tried} variants, {judged} judged as tokens, {sent} sent in metadata");
    assert!(tried > 58_000 && judged > 38_000 && sent > 18_000, "{tried} {judged} {sent}");
    assert_eq!(doors.handlers.reached_in_all(), 3);
}
