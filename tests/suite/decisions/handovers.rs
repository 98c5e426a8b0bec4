//! Where one part hands a call to another: what one of them checked must not be lost there.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use grpc_auth::server::{AccessDecision, AccessRequest};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{
    BearerToken, ClientAuthentication, Dpop, DpopProofId, Introspection, Issuer, Redis,
    ReplayStore, ReplayStoreError, ResourceServer, StartupPolicy,
};
use tests::callers::{until, with};
use tests::kinds::{Counting, call};
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::sender::{Doors, ORIGIN, UNARY};
use tests::{Kit, assert_denied, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tonic::{Code, Request, Status};

use crate::streams::scripted::{Call, Script, Scripted};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn asked() -> Introspection {
    Introspection::new(ClientAuthentication::client_secret_basic("api", "s3cret"))
}

async fn server(issuer: &TestAuthorizationServer, introspection: Introspection) -> ResourceServer {
    issuer.add_client("api", "s3cret", [""; 0]);
    ResourceServer::builder()
        .issuer(Issuer::discover(issuer.url()).introspection(introspection))
        .clock(issuer.clock().clone())
        .audience(TestAuthorizationServer::AUDIENCE)
        .build()
        .await
        .unwrap()
}

fn active(more: &str) -> Option<String> {
    let aud = TestAuthorizationServer::AUDIENCE;
    Some(format!(r#"{{"active":true,"aud":"{aud}","scope":"read:word"{more}}}"#))
}

/// A JWT bound to a key, sent plain with one `=` behind it, is no JWT to the router.
#[tokio::test]
async fn a_bound_jwt_in_another_spelling_is_not_let_in() {
    let mut let_in = Vec::new();
    for hybrid in [false, true] {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let introspection = if hybrid { asked().also_for_jwts() } else { asked() };
        let auth = server(&issuer, introspection).await;
        let key = issuer.dpop_key();
        let token = issuer.token().scopes(["read:word"]).bound_to_key(&key).sign();
        // A server that is lenient about padding and does not repeat `cnf`.
        issuer.set_introspection_response(active(""));
        assert!(with(&auth, &token).await.is_err(), "plain, hybrid {hybrid}");
        let padded = with(&auth, &format!("{token}=")).await;
        if padded.is_ok() {
            let_in.push(hybrid);
        }
    }
    assert!(let_in.is_empty(), "padded: LET IN with hybrid = {let_in:?}");
}

/// So are tokens that are refused here for their `typ` or `aud`.
#[tokio::test]
async fn an_id_token_in_another_spelling_is_not_let_in() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, asked()).await;
    let token = issuer.token().scopes(["read:word"]).header("typ", "JWT").sign();
    issuer.set_introspection_response(active(""));
    assert!(with(&auth, &token).await.is_err(), "plain");
    assert!(with(&auth, &format!("{token}=")).await.is_err(), "padded: LET IN");
}

/// Hybrid forgets the `exp` that was verified.
#[tokio::test]
async fn a_stream_of_a_hybrid_token_ends_with_the_jwt() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, asked().also_for_jwts()).await;
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
    let auth = server(&issuer, asked()).await;
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
    let auth = server(&issuer, asked()).await;
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
    tests::assert_denied(answer, Code::Internal, "");
    assert!(logs.line_with("call denied").contains("the store of used DPoP proofs panicked"));
}

/// An endpoint that refuses tokens that it finds malformed, as some do; so do firewalls before them.
/// For some it is down.
async fn picky(refusal: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/introspect", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                while !String::from_utf8_lossy(&request).contains("token_type_hint") {
                    match stream.read(&mut chunk).await {
                        Ok(n) if n > 0 => request.extend_from_slice(&chunk[..n]),
                        _ => return,
                    }
                }
                let is_about = |what: &str| {
                    String::from_utf8_lossy(&request).contains(&format!("token={what}"))
                };
                let (status, body) = match () {
                    () if is_about("junk") => (refusal, "{}".to_owned()),
                    () if is_about("down") => ("500 Internal Server Error", String::new()),
                    () => ("200 OK", active("").unwrap()),
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

/// Five junk tokens of one caller open the endpoint's circuit for all callers.
#[tokio::test]
async fn a_strangers_junk_does_not_open_the_circuit() {
    for refusal in ["400 Bad Request", "403 Forbidden", "413 Content Too Large"] {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let auth = server(&issuer, asked().endpoint(picky(refusal).await)).await;
        with(&auth, "good0").await.unwrap();
        for n in 0..5 {
            let answer = with(&auth, &format!("junk{n}")).await;
            tests::assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
        }
        let answer = with(&auth, "good1").await;
        assert!(answer.is_ok(), "{refusal}: {answer:?}");
    }
}

/// After an outage an attacker's junk is what always comes first.
#[tokio::test]
async fn a_strangers_junk_does_not_keep_the_circuit_open() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, asked().endpoint(picky("403 Forbidden").await)).await;
    for n in 0..5 {
        let answer = with(&auth, &format!("down{n}")).await;
        tests::assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    let answer = with(&auth, "good0").await;
    tests::assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    issuer.clock().advance(5 * SECOND);
    let answer = with(&auth, "junk").await;
    tests::assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    with(&auth, "good1").await.unwrap();
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
        tests::assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
    }
    assert_eq!(handlers.reached_in_all(), 0, "the handler ran 24 s after the token's end");
}

/// The same, `verify()` for a hybrid token: when does it expire?
#[tokio::test]
async fn hybrid_tells_the_expiry_that_was_verified() {
    let kit = Kit::start().await;
    let auth = server(&kit.issuer, asked().also_for_jwts()).await;
    let token = kit.issuer.token().expires_in(HOUR).sign();
    let token = BearerToken::parse(&token).unwrap();
    let plain = kit.auth.verify(&token).await.unwrap().expires_at();
    kit.issuer.set_introspection_response(active(""));
    assert_eq!(auth.verify(&token).await.unwrap().expires_at(), plain);
}

/// The last character of an RS256 signature has four bits that no decoder reads, but strict
/// decoders: another spelling of the same token, for any server that verifies and is not strict.
#[tokio::test]
async fn a_jwt_with_other_trailing_bits_is_not_introspected() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, asked()).await;
    let key = issuer.dpop_key();
    let token = issuer.token().scopes(["read:word"]).bound_to_key(&key).sign();
    let last = token.chars().last().unwrap();
    let other = match last {
        'A' => 'B',
        'Q' => 'R',
        'g' => 'h',
        'w' => 'x',
        other => panic!("{other}"),
    };
    issuer.set_introspection_response(active(""));
    let respelt = format!("{}{other}", &token[..token.len() - 1]);
    let answer = with(&auth, &respelt).await;
    assert!(answer.is_err(), "LET IN");
}

/// Decoders that skip what is not base64 read the same token.
#[tokio::test]
async fn a_jwt_with_characters_that_lenient_decoders_skip_is_not_introspected() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, asked()).await;
    let key = issuer.dpop_key();
    let token = issuer.token().scopes(["read:word"]).bound_to_key(&key).sign();
    issuer.set_introspection_response(active(""));
    let (header, rest) = token.split_once('.').unwrap();
    for place in 0..header.len() {
        let respelt = format!("{}~{}.{rest}", &header[..place], &header[place..]);
        let answer = with(&auth, &respelt).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    }
    let asked = issuer.requests(Endpoint::Introspection);
    assert_eq!(asked, 0);
    // Opaque tokens are introspected still.
    with(&auth, &issuer.token().opaque()).await.unwrap();
}

/// What stands behind a JWT is ignored by servers that take it apart with Java's `split`, which drops
/// empty parts at the end, as Keycloak does, and by those that look at the first three parts alone.
#[tokio::test]
async fn a_jwt_with_something_behind_it_is_not_introspected() {
    let mut let_in = Vec::new();
    for hybrid in [false, true] {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let introspection = if hybrid { asked().also_for_jwts() } else { asked() };
        let auth = server(&issuer, introspection).await;
        let key = issuer.dpop_key();
        let token = issuer.token().scopes(["read:word"]).bound_to_key(&key).sign();
        issuer.set_introspection_response(active(""));
        for behind in [".", "..", ".=", "=.", "=", "~", ".x", ".x.y", ".~~~"] {
            if with(&auth, &format!("{token}{behind}")).await.is_ok() {
                let_in.push((behind, hybrid));
            }
        }
        // An encrypted token is for the server that has its key.
        let header = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0";
        with(&auth, &format!("{header}..AAAA.AAAA.AAAA")).await.unwrap();
    }
    assert!(let_in.is_empty(), "LET IN: {let_in:?}");
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

/// Five answers about one token of one client, too long or no JSON, are everybody's outage.
#[tokio::test]
async fn answers_about_one_token_do_not_open_the_circuit_for_all() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, asked()).await;
    let one = issuer.token().scopes(["read:word"]).opaque();
    let filler = "x".repeat(300 * 1024);
    issuer.set_introspection_response(active(&format!(r#","filler":"{filler}""#)));
    for _ in 0..5 {
        assert!(with(&auth, &one).await.is_err());
    }
    issuer.set_introspection_response(None);
    let other = with(&auth, &issuer.token().scopes(["read:word"]).opaque()).await;
    assert!(other.is_ok(), "{other:?}");
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
