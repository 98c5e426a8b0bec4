//! Faults on demand: the same words configure them at both authorization servers.

use reqwest::Client;
use serde_json::{Value, json};

/// How a test speaks to a part about what the part is to do.
#[derive(Debug)]
pub(crate) struct Control {
    base: String,
    http: Client,
}

/// What an endpoint does instead of answering.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status, and nothing else.
    Status(u16),
    /// This status, with `Retry-After`.
    RetryAfter { status: u16, seconds: u32 },
    /// Status 200 with this body, said to be JSON.
    Body(String),
    /// A captive portal's page.
    Html,
    /// No answer; the connection stays open.
    Hang,
    /// The true answer, once it is healed.
    Wait,
    /// White space, twice a second, without end.
    Drip,
    /// 1 GB of white space, then a document.
    Huge,
    /// The connection ends before the body does.
    Truncated,
    /// To another path of the same server.
    Redirect,
}

impl Control {
    pub(super) fn of(base: &str) -> Self {
        Self { base: base.into(), http: Client::new() }
    }

    /// Makes an endpoint misbehave. One at a time.
    pub(crate) async fn fault(&self, endpoint: &str, fault: Fault) {
        let mut described = fault.describe();
        described["path"] = endpoint.into();
        self.post("/_test/fault", &described).await;
    }

    /// Ends the fault.
    pub(crate) async fn heal(&self) {
        self.post("/_test/fault", &json!({})).await;
    }

    /// How many requests an endpoint has had: those of [`fault`](Self::fault), or `elsewhere`.
    pub(crate) async fn requests(&self, endpoint: &str) -> u64 {
        self.post("/_test/state", &json!({})).await["requests"][endpoint].as_u64().unwrap()
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }
}

impl Fault {
    fn describe(self) -> Value {
        match self {
            Self::Status(status) => json!({"status": status}),
            Self::RetryAfter { status, seconds } => {
                json!({"status": status, "headers": {"retry-after": seconds.to_string()}})
            }
            Self::Body(body) => json!({"body": body}),
            Self::Html => json!({
                "headers": {"content-type": "text/html"},
                "body": "<!doctype html><title>Log in to the network</title>",
            }),
            Self::Hang => json!({"then": "hang"}),
            Self::Wait => json!({"then": "wait"}),
            Self::Drip => json!({"then": "drip"}),
            Self::Huge => json!({"then": "huge"}),
            Self::Truncated => json!({"then": "truncate", "headers": {"content-length": "5000"}}),
            Self::Redirect => json!({"status": 302, "headers": {"location": "/elsewhere"}}),
        }
    }
}
