//! The same for `reqwest`.

use reqwest::{Client, Request, RequestBuilder, Response};

use super::error::AttachTokenError;
use super::{attach, check, may_do_better};
use crate::client::access_token::AccessToken;
use crate::client::source::TokenSource;

impl TokenSource {
    /// Puts a token into a request of `reqwest`'s.
    ///
    /// What goes to another host than this one without TLS is refused. When the client follows a
    /// redirect to another host, `reqwest` removes the token.
    ///
    /// ```
    /// use grpc_auth::ClientAuthentication;
    /// use grpc_auth::client::{AttachTokenError, OAuthClient};
    /// use grpc_auth::testing::TestAuthorizationServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = TestAuthorizationServer::start().await?;
    /// server.add_client("orders", "s3cret", ["read:orders"]);
    /// let orders = ClientAuthentication::client_secret_basic("orders", "s3cret");
    /// let tokens = OAuthClient::oidc(server.url(), orders).client_credentials().build()?;
    ///
    /// let client = reqwest::Client::new();
    /// let request = tokens.authorize(client.get("https://api.example.com/orders")).await?.build()?;
    /// assert!(request.headers()["authorization"].is_sensitive());
    ///
    /// let refused = tokens.authorize(client.get("http://api.example.com/orders")).await;
    /// assert!(matches!(refused, Err(AttachTokenError::Plaintext { .. })));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`AttachTokenError`] when there is no token, or the request may not carry one.
    pub async fn authorize(
        &self,
        request: RequestBuilder,
    ) -> Result<RequestBuilder, AttachTokenError> {
        let (client, request) = request.build_split();
        let mut request = request?;
        check(request.url(), request.headers())?;
        let token = self.token_for_call().await?;
        attach_to(self, &token, &mut request)?;
        Ok(RequestBuilder::from_parts(client, request))
    }

    /// Sends a request of `reqwest`'s with a token. If that is answered 401 the token is given up,
    /// and the request is sent once more with another one, provided that its body can be: a stream
    /// cannot, and then the answer is the caller's.
    ///
    /// # Errors
    /// [`AttachTokenError`] when there is no token, the request may not carry one, or the server does not answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, AttachTokenError> {
        let (client, request) = request.build_split();
        let request = request?;
        check(request.url(), request.headers())?;
        let again = request.try_clone();
        let (answer, may_do_better) = self.execute(&client, request).await?;
        match again {
            Some(again) if may_do_better => Ok(self.execute(&client, again).await?.0),
            _ => Ok(answer),
        }
    }

    async fn execute(
        &self,
        client: &Client,
        mut request: Request,
    ) -> Result<(Response, bool), AttachTokenError> {
        let token = self.token_for_call().await?;
        let nonce = attach_to(self, &token, &mut request)?;
        let url = request.url().clone();
        let answer = client.execute(request).await?;
        // Of where a redirect led to, the token went only if that is the same.
        if answer.url().origin() != url.origin() {
            return Ok((answer, false));
        }
        let (status, headers) = (answer.status(), answer.headers());
        let better = may_do_better(self, &token, nonce.as_deref(), &url, status, headers);
        Ok((answer, better))
    }
}

fn attach_to(
    source: &TokenSource,
    token: &AccessToken,
    request: &mut Request,
) -> Result<Option<Box<str>>, AttachTokenError> {
    let (method, url) = (request.method().clone(), request.url().clone());
    attach(source, token, method.as_str(), &url, request.headers_mut())
}
