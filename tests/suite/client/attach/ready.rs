//! The service below the layer, as tower wants it to be called.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use grpc_auth::client::{DpopKey, TokenSource};
use grpc_auth::testing::ManualClock;
use http::header::HeaderValue;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::endpoint::TokenEndpoint;

/// It may be called when it was polled ready, and its clones may not. It refuses a token.
struct Once {
    is_ready: bool,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Clone for Once {
    fn clone(&self) -> Self {
        Self { is_ready: false, calls: Arc::clone(&self.calls) }
    }
}

impl Service<Request<Body>> for Once {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "it was not polled ready");
        assert!(request.extensions().get::<TokenSource>().is_none());
        assert_eq!(request.extensions().get::<&str>(), Some(&"of the caller"));
        assert!(request.headers().values().all(HeaderValue::is_sensitive));
        let value = request.headers()["authorization"].to_str().unwrap().to_owned();
        let is_refused = value.ends_with("refused");
        self.calls.lock().unwrap().push(value);
        ready(Ok(if is_refused {
            Status::unauthenticated("refused").into_http()
        } else {
            Response::new(())
        }))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_called_with_sensitive_credentials() {
    let clock = ManualClock::new();
    let endpoint = TokenEndpoint::start().await;
    for (tokens, scheme) in [
        (endpoint.tokens(&clock), "Bearer"),
        (endpoint.tokens(&clock).dpop(DpopKey::generate().unwrap()), "DPoP"),
    ] {
        let tokens = tokens.build().unwrap();
        for token in ["good", "refused", "better"] {
            endpoint.grant(token, scheme);
        }
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let layer = tokens.layer().origin("https://echo.example.com").unwrap();
        let mut service = layer.layer(Once { is_ready: false, calls: Arc::clone(&calls) });
        // Waiting for a token, with it, and refused on the way: a message of no bytes.
        for is_last in [false, false, true] {
            if is_last {
                clock.advance(std::time::Duration::from_secs(3600));
            }
            poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
            let message = http_body_util::Full::from(vec![0_u8; 5]);
            let mut request = Request::new(Body::new(message));
            request.extensions_mut().insert("of the caller");
            request.extensions_mut().insert(tokens.clone());
            let answer = service.call(request).await.unwrap();
            assert!(!answer.headers().contains_key("grpc-status"));
        }
        let expected = ["good", "good", "refused", "better"];
        assert_eq!(*calls.lock().unwrap(), expected.map(|token| format!("{scheme} {token}")));
    }
}
