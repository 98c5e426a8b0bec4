//! A call that waits for a token, or is sent again with another one.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use super::body;
use super::credentials::{Next, Sent};
use super::head::Head;
use super::refusal;
use crate::client::access_token::AccessToken;
use crate::client::source::TokenSource;
use crate::clock::deadline::Deadline;

/// All that it takes to send a request, but its token.
pub(super) struct Exchange<S> {
    pub(super) service: S,
    pub(super) source: TokenSource,
    pub(super) origin: Option<Arc<str>>,
    pub(super) head: Head,
    /// The whole of its body, if that can be sent again.
    pub(super) message: Option<Bytes>,
    pub(super) deadline: Deadline,
}

impl<S, R> Exchange<S>
where
    S: Service<Request<Body>, Response = Response<R>>,
    R: Default,
{
    /// Sends the request for the first time, when there is a token. The service is ready.
    pub(super) async fn begin(mut self, body: Body) -> Result<Response<R>, S::Error> {
        let token = wait(&self.source, &self.deadline, refusal::Call::NotSent).await;
        let (request, sent) = match token.and_then(|token| self.request(token, body)) {
            Ok(prepared) => prepared,
            Err(status) => return Ok(status.into_http()),
        };
        let answer = self.service.call(request).await?;
        let next = sent.judge(&answer);
        self.resume(answer, sent, next).await
    }

    /// Goes on after an answer. One more proof and one more token are tried, and no more.
    pub(super) async fn resume(
        mut self,
        mut answer: Response<R>,
        mut sent: Sent,
        mut next: Next,
    ) -> Result<Response<R>, S::Error> {
        let Some(message) = self.message.clone() else { return Ok(answer) };
        let (mut may_prove, mut may_renew) = (true, true);
        loop {
            let token = match next {
                Next::Prove if may_prove => {
                    may_prove = false;
                    Ok(Arc::clone(sent.token()))
                }
                Next::Renew if may_renew => {
                    may_renew = false;
                    let call = refusal::Call::Refused;
                    let token = wait(&self.source, &self.deadline, call).await;
                    // There is no other, and this one was refused.
                    if token.as_ref().is_ok_and(|token| Arc::ptr_eq(token, sent.token())) {
                        let failure = self.source.failure();
                        return Ok(failure
                            .map_or(answer, |error| refusal::no_token(&error, call).into_http()));
                    }
                    token
                }
                Next::HandOn | Next::Prove | Next::Renew => return Ok(answer),
            };
            let body = body::whole(message.clone());
            let request;
            (request, sent) = match token.and_then(|token| self.request(token, body)) {
                Ok(prepared) => prepared,
                Err(status) => return Ok(status.into_http()),
            };
            poll_fn(|cx| self.service.poll_ready(cx)).await?;
            answer = self.service.call(request).await?;
            next = sent.judge(&answer);
        }
    }

    fn request(
        &self,
        token: Arc<AccessToken>,
        body: Body,
    ) -> Result<(Request<Body>, Sent), Box<Status>> {
        let mut parts = self.head.parts();
        self.deadline.tell(&mut parts.headers);
        let sent = Sent::with(token, self.source.clone(), self.origin.clone(), &mut parts)?;
        Ok((Request::from_parts(parts, body), sent))
    }
}

/// Waits for a token, for as long as the caller does.
async fn wait(
    source: &TokenSource,
    deadline: &Deadline,
    call: refusal::Call,
) -> Result<Arc<AccessToken>, Box<Status>> {
    let token = match deadline.remaining() {
        None => source.token().await,
        Some(remaining) => {
            let token = source.clock().timeout(remaining, source.token()).await;
            token.ok_or_else(|| refusal::too_late(call))?
        }
    };
    match token {
        Ok(token) => {
            source.outage().ends();
            Ok(token)
        }
        Err(error) => {
            source.outage().begins(&error);
            Err(refusal::no_token(&error, call))
        }
    }
}
