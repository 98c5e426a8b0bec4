//! The same tokens on the requests of HTTP clients.

use std::sync::Arc;
use std::task::{Context, Poll};

use grpc_auth::client::{AttachTokenError, TokenSource};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use http::{Request, Response};
use tests::logs::Logs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tower_layer::Layer;
use tower_service::Service;

use super::{credentials, request};

/// A service that answers 401 to these credentials.
struct Api {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
    refused: Arc<Mutex<String>>,
}

impl Api {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/orders?after=1", listener.local_addr().unwrap());
        let (seen, refused) = (Arc::<Mutex<Vec<String>>>::default(), Arc::default());
        let (log, no) = (Arc::clone(&seen), Arc::<Mutex<String>>::clone(&refused));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let length = stream.read(&mut head).await.unwrap_or_default();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let line = head.lines().find_map(|line| line.strip_prefix("authorization: "));
                let credentials = line.unwrap_or_default().to_owned();
                let status = if *no.lock().await == credentials { 401 } else { 200 };
                log.lock().await.push(credentials);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, seen, refused }
    }

    async fn seen(&self) -> Vec<String> {
        self.seen.lock().await.clone()
    }
}

async fn tokens() -> (TestAuthorizationServer, TokenSource) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.add_client("caller", "s3cret", ["read:word"]);
    let tokens = request(&issuer, "caller").build().unwrap();
    (issuer, tokens)
}

#[tokio::test]
async fn a_request_of_reqwests_carries_the_token_and_is_sent_once_more_with_another() {
    let (issuer, tokens) = tokens().await;
    let api = Api::start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = tokens.authorize(client.get(&*api.url)).await.unwrap().send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let first = credentials(&tokens).await;

    *api.refused.lock().await = first.clone();
    let answer = tokens.send(client.post(&*api.url).body("body")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let second = credentials(&tokens).await;
    assert_eq!(api.seen().await, [&*first, &first, &second]);
    // Not for ever.
    *api.refused.lock().await = second.clone();
    let answer = tokens.send(client.get(&*api.url)).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(api.seen().await.len(), 4);
    assert_eq!(issuer.requests(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_request_that_may_not_carry_a_token_is_not_sent() {
    let (issuer, tokens) = tokens().await;
    let client = reqwest::Client::new();
    for bad in ["http://api.example.com/", "http://localhost.example.com/", "ftp://127.0.0.1/"] {
        let refused = tokens.authorize(client.get(bad)).await;
        assert!(matches!(refused, Err(AttachTokenError::Plaintext { .. })), "{bad}");
        let refused = tokens.send(client.get(bad)).await;
        assert!(matches!(refused, Err(AttachTokenError::Plaintext { .. })), "{bad}");
    }
    for header in ["authorization", "dpop"] {
        let own = || client.get("https://api.example.com/").header(header, "own");
        let refused = tokens.authorize(own()).await;
        assert!(matches!(refused, Err(AttachTokenError::AlreadyAuthorized)), "{header}");
        let refused = tokens.send(own()).await;
        assert!(matches!(refused, Err(AttachTokenError::AlreadyAuthorized)), "{header}");
    }
    assert_eq!(issuer.requests(Endpoint::Token), 0);

    issuer.fail(Endpoint::Token, Fault::Status(500));
    let logs = Logs::capture();
    for _ in 0..2 {
        let refused = tokens.authorize(client.get("https://api.example.com/")).await;
        assert!(matches!(refused, Err(AttachTokenError::Token(_))));
    }
    let _ = logs.line_with("no token can be got");
}

/// A client that answers 401 to these credentials, and may be called when it was polled ready.
struct Once {
    is_ready: bool,
    refused: Arc<std::sync::Mutex<String>>,
}

impl Clone for Once {
    fn clone(&self) -> Self {
        Self { is_ready: false, refused: Arc::clone(&self.refused) }
    }
}

impl Service<Request<String>> for Once {
    type Response = Response<String>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Response<String>, std::io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "it was not polled ready");
        assert!(request.extensions().get::<TokenSource>().is_none());
        let value = &request.headers()["authorization"];
        assert!(value.is_sensitive());
        let is_refused = *self.refused.lock().unwrap() == value.to_str().unwrap();
        let answer = Response::builder().status(if is_refused { 401 } else { 200 });
        std::future::ready(Ok(answer.body(value.to_str().unwrap().to_owned()).unwrap()))
    }
}

#[tokio::test]
async fn any_http_client_carries_tokens_and_gives_up_those_that_are_refused() {
    let (issuer, tokens) = tokens().await;
    let refused = Arc::<std::sync::Mutex<String>>::default();
    let mut client =
        tokens.http_layer().layer(Once { is_ready: false, refused: Arc::clone(&refused) });
    let mut call = async |uri: &str| {
        std::future::poll_fn(|cx| client.poll_ready(cx)).await.unwrap();
        client.call(Request::get(uri).body(String::new()).unwrap()).await
    };
    let first = call("https://api.example.com/orders").await.unwrap();
    assert_eq!(first.status(), 200);
    *refused.lock().unwrap() = first.body().clone();
    assert_eq!(call("https://api.example.com/orders").await.unwrap().status(), 401);
    let second = call("http://127.0.0.1:1/orders").await.unwrap();
    assert_eq!(second.status(), 200);
    assert_ne!(first.body(), second.body());
    assert_eq!(issuer.requests(Endpoint::Token), 2);

    for (uri, is_absolute) in
        [("http://api.example.com/", true), ("/orders", false), ("api.example.com:443", false)]
    {
        let error = call(uri).await.unwrap_err();
        let error = error.downcast_ref::<AttachTokenError>().unwrap();
        assert_eq!(matches!(error, AttachTokenError::Plaintext { .. }), is_absolute, "{uri}");
        assert_eq!(matches!(error, AttachTokenError::NotAbsolute), !is_absolute, "{uri}");
    }
}
