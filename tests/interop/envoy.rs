//! Envoy, which authorizes by path, in front of the protected service: no spelling of a path that it
//! denies reaches the handler behind it.

use std::net::SocketAddr;

use serde_json::Value;
use tests::kinds::Counting;

use crate::clients::serve;
use crate::parts::{CLIENT, Envoy, OidcProvider, raw};
use crate::raw::{Answer, UNARY, request};

const OPEN: &str = "/kit.v1.Kinds/Open";

/// Whether Envoy passed the call on, `grpc-status`, reason.
type Outcome = (bool, &'static str, &'static str);

/// What becomes of a path with a token, and without: where Envoy denies `Unary`, and where `Open`.
const PATHS: [(&str, [[Outcome; 2]; 2]); 9] = {
    const REACHED: Outcome = (true, "0", "");
    const UNKNOWN: Outcome = (true, "12", "");
    const MISSING: Outcome = (true, "16", "CREDENTIALS_MISSING");
    const REFUSED: Outcome = (true, "7", "PERMISSION_DENIED_BY_POLICY");
    // By Envoy's rule, which compares with what is before a `?`.
    const DENIED: [Outcome; 2] = [(false, "7", ""); 2];
    // By Envoy, before any rule: what HTTP calls a bad request is INTERNAL in gRPC.
    const BAD: [Outcome; 2] = [(false, "13", ""); 2];
    [
        (UNARY, [DENIED, [REACHED, MISSING]]),
        ("/kit.v1.Kinds/Unary?x", [DENIED, [REFUSED, MISSING]]),
        ("/kit.v1.Kinds/Unary#x", [BAD, BAD]),
        ("/kit.v1.Kinds/Unary#", [BAD, BAD]),
        ("/kit.v1.Kinds/Unary?#x", [BAD, BAD]),
        // Other paths to Envoy, and to the server.
        ("/kit.v1.Kinds/%55nary", [[REFUSED, MISSING]; 2]),
        ("//kit.v1.Kinds/Unary", [[UNKNOWN; 2]; 2]),
        // Other methods.
        ("/kit.v1.Kinds/ServerStream", [[REACHED, MISSING]; 2]),
        (OPEN, [[REACHED; 2], DENIED]),
    ]
};

/// The protected service, and a token that opens it.
async fn scene() -> (Counting, SocketAddr, String) {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let service = Counting::default();
    let address = serve(&auth, service.clone()).await;
    let token = issuer.token(CLIENT, "read:word", "urn:kit:words:rs256").await;
    (service, address, format!("Bearer {token}"))
}

async fn answers(envoy: &Envoy, requests: Vec<Value>) -> Vec<Answer> {
    raw(envoy.address(), &requests.into()).await
}

#[tokio::test]
async fn no_spelling_of_a_path_gets_around_the_rule_of_a_proxy() {
    let (service, server, bearer) = scene().await;
    let mut reached = Vec::new();
    for (place, denied) in [UNARY, OPEN].into_iter().enumerate() {
        let envoy = Envoy::start(server, denied).await;
        for (nth, headers) in [&[("authorization", &*bearer)][..], &[]].into_iter().enumerate() {
            let requests = PATHS.iter().map(|(path, _)| request(path, headers)).collect();
            for ((path, expected), answer) in PATHS.iter().zip(answers(&envoy, requests).await) {
                let what = format!("{path:?} {headers:?}, {denied} denied: {answer:?}");
                assert_eq!(
                    (&*answer.end, answer.http.as_deref()),
                    ("answered", Some("200")),
                    "{what}"
                );
                let status = answer.status.as_deref().unwrap_or_default();
                let outcome = (answer.forwarded, status, &*answer.reason);
                assert_eq!(outcome, expected[place][nth], "{what}");
            }
        }
        reached.push(["Unary", "ServerStream", "Open"].map(|method| service.reached(method)));
    }
    // Each Envoy stops every call to the method that it denies.
    assert_eq!(reached, [[0, 1, 2], [1, 2, 2]]);
}

#[tokio::test]
async fn a_fragment_is_a_bad_request_to_envoy() {
    let (service, server, bearer) = scene().await;
    let envoy = Envoy::start(server, UNARY).await;
    let expected = [("", "403"), ("#x", "400"), ("#", "400"), ("?#x", "400"), ("?x", "403")];
    let requests = expected.map(|(end, _)| {
        let mut headers = request(&format!("{UNARY}{end}"), &[("authorization", &bearer)]);
        // To a gRPC call Envoy would answer with gRPC's status.
        let fields = headers.as_array_mut().unwrap();
        let kind = fields.iter_mut().find(|field| field[0] == "content-type").unwrap();
        kind[1] = "text/plain".into();
        headers
    });
    for ((end, http), answer) in expected.iter().zip(answers(&envoy, requests.into()).await) {
        assert_eq!((answer.http.as_deref(), answer.forwarded), (Some(*http), false), "{end:?}");
    }
    assert_eq!(service.reached_in_all(), 0);
}
