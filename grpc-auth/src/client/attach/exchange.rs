//! One call: its request with a token, and with another one if that helps.

use std::future::poll_fn;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use super::answer::Remedy;
use super::body;
use super::credentials::Sent;
use super::refusal;
use crate::client::access_token::AccessToken;
use crate::client::dpop::DPOP;
use crate::client::source::TokenSource;
use crate::clock::deadline::Deadline;

/// All that it takes to send requests with tokens.
pub(super) struct Exchange<S> {
    /// It is ready.
    pub(super) service: S,
    pub(super) source: TokenSource,
    pub(super) origin: Option<Arc<str>>,
}

impl<S, R> Exchange<S>
where
    S: Service<Request<Body>, Response = Response<R>>,
    R: Default,
{
    /// Sends the request when there is a token. After an answer one more proof and one more token
    /// are tried, and no more, if the body can be sent again.
    pub(super) async fn run(mut self, request: Request<Body>) -> Result<Response<R>, S::Error> {
        let headers = request.headers();
        if headers.contains_key(AUTHORIZATION)
            || (self.source.dpop().is_some() && headers.contains_key(DPOP))
        {
            return Ok(refusal::already_authorized().into_http());
        }
        let (parts, body) = request.into_parts();
        let deadline = Deadline::of(&parts.headers, self.source.clock());
        let (mut body, message) = body::look_at(body);
        let (mut may_prove, mut may_renew) = (true, true);
        let mut token = match self.source.current() {
            Some(token) => Ok(token),
            None => wait(&self.source, &deadline, refusal::Call::NotSent).await,
        };
        loop {
            let mut parts = parts.clone();
            deadline.tell(&mut parts.headers);
            let sent = token.and_then(|token| {
                Sent::with(token, self.source.clone(), self.origin.clone(), &mut parts)
            });
            let sent = match sent {
                Ok(sent) => sent,
                Err(status) => return Ok(status.into_http()),
            };
            let answer = self.service.call(Request::from_parts(parts, body)).await?;
            let remedy = sent.remedy(&answer);
            let Some(message) = message.clone() else { return Ok(answer) };
            token = match remedy {
                Remedy::Nonce if may_prove => {
                    may_prove = false;
                    Ok(Arc::clone(sent.token()))
                }
                Remedy::Token if may_renew => {
                    may_renew = false;
                    let call = refusal::Call::Refused;
                    let token = wait(&self.source, &deadline, call).await;
                    // There is no other, and this one was refused.
                    if token.as_ref().is_ok_and(|token| Arc::ptr_eq(token, sent.token())) {
                        let failure = self.source.failure();
                        return Ok(failure
                            .map_or(answer, |error| refusal::no_token(&error, call).into_http()));
                    }
                    token
                }
                Remedy::None | Remedy::Nonce | Remedy::Token => return Ok(answer),
            };
            body = body::whole(message);
            poll_fn(|cx| self.service.poll_ready(cx)).await?;
        }
    }
}

/// Waits for a token, for as long as the caller does.
async fn wait(
    source: &TokenSource,
    deadline: &Deadline,
    call: refusal::Call,
) -> Result<Arc<AccessToken>, Box<Status>> {
    let token = match deadline.remaining() {
        None => source.token_for_call().await,
        Some(remaining) => {
            let token = source.clock().timeout(remaining, source.token_for_call()).await;
            token.ok_or_else(|| refusal::too_late(call))?
        }
    };
    token.map_err(|error| refusal::no_token(&error, call))
}
