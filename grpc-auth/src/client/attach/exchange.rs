//! One call: its request with a token, and with another one if that helps.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Request, Response};
use tonic::body::Body;
use tonic::{GrpcMethod, Status};
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
        let (mut parts, body) = request.into_parts();
        let deadline = Deadline::of(&parts.headers, self.source.clock());
        let (mut body, message) = body::look_at(body);
        let again = message.map(|message| Again::of(&mut parts, message));
        let (mut may_prove, mut may_renew) = (true, true);
        let mut token = match self.source.current() {
            Some(token) => Ok(token),
            None => {
                let token = wait(&self.source, &deadline, refusal::Call::NotSent).await;
                deadline.tell(&mut parts.headers);
                token
            }
        };
        loop {
            let sent = token.and_then(|token| {
                Sent::with(token, self.source.clone(), self.origin.clone(), &mut parts)
            });
            let sent = match sent {
                Ok(sent) => sent,
                Err(status) => return Ok(status.into_http()),
            };
            let answer = self.service.call(Request::from_parts(parts, body)).await?;
            let remedy = sent.remedy(&answer);
            let Some(again) = &again else { return Ok(answer) };
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
            (parts, body) = again.request();
            deadline.tell(&mut parts.headers);
            poll_fn(|cx| self.service.poll_ready(cx)).await?;
        }
    }
}

/// A request that can be sent again.
struct Again {
    /// Without extensions if `method` is all that they hold.
    parts: Parts,
    /// Clients of tonic leave the name of the method in the extensions, and hardly anything else is
    /// there. Each call makes a copy, and one of the map would cost more than all the rest.
    method: Option<GrpcMethod<'static>>,
    message: Bytes,
}

impl Again {
    fn of(parts: &mut Parts, message: Bytes) -> Self {
        let extensions = mem::take(&mut parts.extensions);
        let mut copy = parts.clone();
        let method = extensions.get().filter(|_| extensions.len() == 1).cloned();
        if method.is_none() {
            copy.extensions = extensions.clone();
        }
        parts.extensions = extensions;
        Self { parts: copy, method, message }
    }

    fn request(&self) -> (Parts, Body) {
        let mut parts = self.parts.clone();
        if let Some(method) = &self.method {
            parts.extensions.insert(method.clone());
        }
        (parts, body::whole(self.message.clone()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_request_is_as_the_first_one() {
        let method = || GrpcMethod::new("echo.Echo", "Unary");
        for has_more in [false, true] {
            let (mut parts, ()) = Request::post("https://a.example/echo.Echo/Unary")
                .version(http::Version::HTTP_2)
                .header("te", "trailers")
                .extension(method())
                .body(())
                .unwrap()
                .into_parts();
            if has_more {
                parts.extensions.insert("more");
            }
            let (again, _) = Again::of(&mut parts, Bytes::new()).request();
            assert_eq!((&again.method, &again.uri), (&parts.method, &parts.uri));
            assert_eq!((&again.headers, again.version), (&parts.headers, parts.version));
            for extensions in [&again.extensions, &parts.extensions] {
                assert_eq!(extensions.get::<GrpcMethod<'static>>().unwrap().method(), "Unary");
                assert_eq!(extensions.get::<&str>().is_some(), has_more);
            }
        }
    }
}
