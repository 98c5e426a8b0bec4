//! What gRPC clients refuse to send, sent by python's h2.

use std::net::SocketAddr;

use serde::Deserialize;
use serde_json::{Value, json};
use tests::kinds::Counting;
use tests::logs::Logs;

use crate::clients::serve;
use crate::parts::{CLIENT, OidcProvider, raw};

/// What came of a request.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    /// `answered`, or how the exchange ended instead.
    pub(crate) end: String,
    /// HTTP's status.
    pub(crate) http: Option<String>,
    /// Whether it is the answer of a server behind Envoy.
    pub(crate) forwarded: bool,
    /// `grpc-status`.
    pub(crate) status: Option<String>,
    /// ErrorInfo's.
    pub(crate) reason: String,
}

/// The headers of a call to a path, and more.
pub(crate) fn request(path: &str, more: &[(&str, &str)]) -> Value {
    let mut headers = json!([
        [":method", "POST"],
        [":scheme", "http"],
        [":path", path],
        [":authority", "localhost"],
        ["content-type", "application/grpc"],
        ["te", "trailers"],
    ]);
    let fields = more.iter().map(|(name, value)| json!([name, value]));
    headers.as_array_mut().unwrap().extend(fields);
    headers
}

/// A protected method.
pub(crate) const UNARY: &str = "/kit.v1.Kinds/Unary";

/// The answers' statuses and reasons, in the order of the requests.
async fn answers(address: SocketAddr, requests: &[Value]) -> Vec<(String, String, String)> {
    let answers: Vec<Answer> = raw(address, &requests.into()).await;
    answers
        .into_iter()
        .map(|answer| (answer.end, answer.status.unwrap_or_default(), answer.reason))
        .collect()
}

/// The HTTP/2 stream's end, `grpc-status`, reason.
type Outcome = (&'static str, &'static str, &'static str);

/// What becomes of a path with a token, and without.
const PATHS: [(&str, [Outcome; 2]); 14] = {
    const REACHED: Outcome = ("answered", "0", "");
    const UNKNOWN: Outcome = ("answered", "12", "");
    const MISSING: Outcome = ("answered", "16", "CREDENTIALS_MISSING");
    const DENIED: Outcome = ("answered", "7", "PERMISSION_DENIED_BY_POLICY");
    const RESET: Outcome = ("reset", "", "");
    [
        (UNARY, [REACHED, MISSING]),
        ("/kit.v1.Kinds/Unary?x", [DENIED, MISSING]),
        ("/kit.v1.Kinds/Unary#x", [REACHED, MISSING]),
        // Of the service, and without an entry.
        ("/kit.v1.Kinds/Unary/", [DENIED, MISSING]),
        ("/kit.v1.Kinds/%55nary", [DENIED, MISSING]),
        ("/kit.v1.Kinds/unary", [DENIED, MISSING]),
        // Of no service here.
        ("//kit.v1.Kinds/Unary", [UNKNOWN, UNKNOWN]),
        ("/kit.v1.kinds/Unary", [UNKNOWN, UNKNOWN]),
        ("/x/../kit.v1.Kinds/Unary", [UNKNOWN, UNKNOWN]),
        ("*", [UNKNOWN, UNKNOWN]),
        ("/", [UNKNOWN, UNKNOWN]),
        ("", [RESET, RESET]),
        ("kit.v1.Kinds/Unary", [RESET, RESET]),
        ("http://localhost/kit.v1.Kinds/Unary", [RESET, RESET]),
    ]
};

#[tokio::test]
async fn no_spelling_of_a_path_gets_around_its_rule() {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let service = Counting::default();
    let address = serve(&auth, service.clone()).await;
    let token = issuer.token(CLIENT, "read:word", "urn:kit:words:rs256").await;
    let bearer = format!("Bearer {token}");
    for (nth, headers) in [&[("authorization", &*bearer)][..], &[]].into_iter().enumerate() {
        let requests: Vec<_> = PATHS.iter().map(|(path, _)| request(path, headers)).collect();
        for ((path, expected), answer) in PATHS.iter().zip(answers(address, &requests).await) {
            let answer = (&*answer.0, &*answer.1, &*answer.2);
            assert_eq!(answer, expected[nth], "{path:?} {headers:?}");
        }
    }
    assert_eq!(service.reached_in_all(), 2);
}

#[tokio::test]
async fn nothing_but_one_plain_header_is_a_token() {
    let logs = Logs::capture();
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let service = Counting::default();
    let address = serve(&auth, service.clone()).await;
    let token = issuer.token(CLIENT, "read:word", "urn:kit:words:rs256").await;
    let bearer = format!("Bearer {token}");
    let good = ("authorization", &*bearer);
    let spaced = format!("{bearer} ");
    for (headers, reason, cause) in [
        (&[good, good][..], "ACCESS_TOKEN_MALFORMED", "several authorization values"),
        (&[good, ("authorization", "Bearer x")], "ACCESS_TOKEN_MALFORMED", "several authorization"),
        (&[("authorization", "")], "ACCESS_TOKEN_MALFORMED", "no scheme"),
        (&[("authorization", &spaced)], "ACCESS_TOKEN_MALFORMED", "not one token68"),
        (&[("authorization", "Bearer \u{ff}")], "ACCESS_TOKEN_MALFORMED", "not ASCII"),
        (&[("authorization-bin", &bearer)], "CREDENTIALS_MISSING", "no `authorization`"),
        (&[("cookie", &bearer)], "CREDENTIALS_MISSING", "no `authorization`"),
    ] {
        let logged = logs.text().len();
        let found = answers(address, &[request(UNARY, headers)]).await;
        assert_eq!(found, [("answered".into(), "16".into(), reason.into())], "{cause}");
        assert!(logs.text()[logged..].contains(cause), "{cause}");
    }
    // HTTP/2 itself does not let these through.
    let folded = format!("{bearer}\r\nx: y");
    for (headers, end) in [
        (&[("Authorization", &*bearer)][..], "terminated"),
        (&[("authorization", &folded)], "terminated"),
        (&[good, (":path", "/kit.v1.Kinds/Open")], "reset"),
    ] {
        let found = answers(address, &[request(UNARY, headers)]).await;
        assert_eq!(found, [(end.into(), String::new(), String::new())], "{headers:?}");
    }
    assert_eq!(service.reached_in_all(), 0);
}
