//! A tower layer for HTTP clients.

use std::error::Error;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use super::error::AttachTokenError;
use super::{attach, check, may_do_better};
use crate::client::source::TokenSource;

/// Attaches the tokens of a [`TokenSource`] to the requests of an HTTP client; made by
/// [`TokenSource::http_layer`].
///
/// What goes to another host than this one without TLS is not sent, nor is a request whose address
/// has no scheme and host: the error is an [`AttachTokenError`]. A token that is answered 401 is given
/// up, so that the next request has another one; the answer itself goes to the caller, for a body
/// that was sent is gone. A `TokenSource` in the request's extensions is asked in place of the
/// layer's own.
///
/// Put it inside of what follows redirects, so that every address is looked at. It cannot tell that a
/// redirect led to another host than the caller meant: leave that to a client that removes
/// `authorization` then, or follow none.
#[derive(Clone, Debug)]
pub struct AddTokenHttpLayer {
    source: TokenSource,
}

/// An HTTP client whose requests carry tokens; made by [`AddTokenHttpLayer`].
#[derive(Clone, Debug)]
pub struct AddTokenHttp<S> {
    inner: S,
    source: TokenSource,
}

impl TokenSource {
    /// Attaches these tokens to the requests of any HTTP client: hyper's, `tower-http`'s stack, ..
    ///
    /// ```
    /// use grpc_auth::ClientAuthentication;
    /// use grpc_auth::client::{AttachTokenError, OAuthClient};
    /// use grpc_auth::testing::TestAuthorizationServer;
    /// use http::{Request, Response};
    /// use tower_layer::Layer;
    /// use tower_service::Service;
    /// # #[derive(Clone)]
    /// # struct Client;
    /// # impl Service<Request<()>> for Client {
    /// #     type Response = Response<String>;
    /// #     type Error = std::convert::Infallible;
    /// #     type Future = std::future::Ready<Result<Response<String>, Self::Error>>;
    /// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
    /// #         std::task::Poll::Ready(Ok(()))
    /// #     }
    /// #     fn call(&mut self, request: Request<()>) -> Self::Future {
    /// #         assert!(request.headers().contains_key("authorization"));
    /// #         std::future::ready(Ok(Response::new("secrets".into())))
    /// #     }
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = TestAuthorizationServer::start().await?;
    /// server.add_client("orders", "s3cret", ["read:orders"]);
    /// let orders = ClientAuthentication::client_secret_basic("orders", "s3cret");
    /// let tokens = OAuthClient::oidc(server.url(), orders).client_credentials().build()?;
    ///
    /// let mut client = tokens.http_layer().layer(Client);
    /// let request = Request::get("https://api.example.com/orders").body(())?;
    /// assert_eq!(client.call(request).await.unwrap().body(), "secrets");
    ///
    /// let plaintext = Request::get("http://api.example.com/orders").body(())?;
    /// let refused = client.call(plaintext).await.unwrap_err();
    /// assert!(matches!(refused.downcast_ref(), Some(AttachTokenError::Plaintext { .. })));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn http_layer(&self) -> AddTokenHttpLayer {
        AddTokenHttpLayer { source: self.clone() }
    }
}

impl<S> Layer<S> for AddTokenHttpLayer {
    type Service = AddTokenHttp<S>;

    fn layer(&self, inner: S) -> AddTokenHttp<S> {
        AddTokenHttp { inner, source: self.source.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for AddTokenHttp<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>> + Send,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let own = request.extensions_mut().remove::<TokenSource>();
        let source = own.unwrap_or_else(|| self.source.clone());
        // The service that was polled ready goes along, and a clone of it stays.
        let spare = self.inner.clone();
        let mut service = mem::replace(&mut self.inner, spare);
        Box::pin(async move {
            let uri = request.uri();
            if uri.scheme().is_none() || uri.authority().is_none() {
                return Err(AttachTokenError::NotAbsolute.into());
            }
            let url = Url::parse(&uri.to_string()).map_err(|_| AttachTokenError::NotAbsolute)?;
            check(&url, request.headers())?;
            let token = source.token_for_call().await?;
            let method = request.method().clone();
            let nonce = attach(&source, &token, method.as_str(), &url, request.headers_mut())?;
            let answer = service.call(request).await.map_err(Into::into)?;
            let (status, headers) = (answer.status(), answer.headers());
            may_do_better(&source, &token, nonce.as_deref(), &url, status, headers);
            Ok(answer)
        })
    }
}
