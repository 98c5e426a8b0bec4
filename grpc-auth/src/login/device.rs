//! A login by a code that is typed in elsewhere (RFC 8628).

use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::error::LoginError;
use super::exchange::Asked;
use super::logged_in::LoginOutcome;
use super::{Login, Party};
use crate::client::error::TokenError;
use crate::http::address::{is_local, secure_url};
use crate::http::client::Answer;
use crate::json;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8628 §3.2.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// RFC 8628 §3.5.
const SLOW_DOWN: Duration = Duration::from_secs(5);
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(120);
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
const MAX_USER_CODE: usize = 64;
const MAX_DEVICE_CODE: usize = 8 * 1024;

/// By a code, on another device.
#[derive(Clone)]
pub struct DeviceFlow(());

/// What the person needs: where to go, and what to type in there.
#[derive(Clone, Debug)]
pub struct DevicePrompt {
    user_code: String,
    verification_uri: Url,
    verification_uri_complete: Option<Url>,
    expires_in: Duration,
}

/// A login that waits for the person to type in its code.
#[derive(Debug)]
#[must_use = "the login does nothing before it is awaited"]
pub struct PendingDevice {
    party: Party,
    scope: String,
    prompt: DevicePrompt,
    device_code: SecretString,
    interval: Duration,
    expires_at: SystemTime,
}

#[derive(Deserialize)]
struct Document {
    device_code: SecretString,
    user_code: String,
    /// Servers from before the RFC write `verification_url`.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: f64,
    interval: Option<f64>,
}

impl DeviceFlow {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl DevicePrompt {
    /// The code to type in: printable ASCII, at most 64 characters.
    #[must_use]
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Where to type it in: https, or a loopback address.
    #[must_use]
    pub fn verification_uri(&self) -> &Url {
        &self.verification_uri
    }

    /// The same with the code in it, for a QR code or a link. Show the code as well: the person is
    /// to compare it (RFC 8628 §3.3.1).
    #[must_use]
    pub fn verification_uri_complete(&self) -> Option<&Url> {
        self.verification_uri_complete.as_ref()
    }

    /// For how long the code can be typed in, from when it was asked for; at most an hour.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }
}

impl Login<DeviceFlow> {
    /// Asks for a code, shows it, and waits for the person.
    ///
    /// # Errors
    /// [`LoginError`], which says what to do next.
    pub async fn run(&self, show: impl FnOnce(&DevicePrompt)) -> Result<LoginOutcome, LoginError> {
        let pending = self.start().await?;
        show(pending.prompt());
        pending.wait().await
    }

    /// Asks for a code (RFC 8628 §3.1).
    ///
    /// # Errors
    /// When the server has no such endpoint, refuses the client, or answers what cannot be shown.
    pub async fn start(&self) -> Result<PendingDevice, LoginError> {
        let party = self.wanted.party()?;
        party.prepare_store().await?;
        let server = &party.server;
        let endpoints = server.endpoints().await?;
        let endpoint = "device_authorization_endpoint";
        let missing = TokenError::EndpointMissing { endpoint };
        let url = endpoints.device_authorization.as_ref().ok_or(missing)?;

        let scope = party.scope(&endpoints);
        let asked_at = server.clock().now();
        let mut form = party.wanted.parameters.pairs("").collect::<Vec<_>>();
        form.extend(Some(("scope", &*scope)).filter(|_| !scope.is_empty()));
        let answer = server.post(url, &form, None).await?;
        if answer.status != 200 {
            return Err(server.refusal(&answer, &form).into());
        }
        let Read { prompt, device_code, interval } = read(&answer, url)?;
        let expires_at = asked_at + prompt.expires_in;
        Ok(PendingDevice { party, scope, prompt, device_code, interval, expires_at })
    }
}

pub(crate) struct Read {
    prompt: DevicePrompt,
    device_code: SecretString,
    interval: Duration,
}

/// RFC 8628 §3.2. What is shown to a person was written by the server: it must neither move the
/// cursor of their terminal nor send them to an unencrypted page.
pub(crate) fn read(answer: &Answer, asked: &Url) -> Result<Read, LoginError> {
    let invalid = |problem: &'static str| LoginError::DeviceAnswer { problem: problem.into() };
    let document: Document = json::read(&answer.body)
        .map_err(|error| LoginError::DeviceAnswer { problem: error.to_string().into() })?;
    let is_shown = |text: &str| {
        text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
            && (1..=MAX_USER_CODE).contains(&text.trim().len())
    };
    if !is_shown(&document.user_code) {
        let problem = "its `user_code` is not printable ASCII of at most 64 characters";
        return Err(invalid(problem));
    }
    if !(1..=MAX_DEVICE_CODE).contains(&document.device_code.expose_secret().len()) {
        return Err(invalid("its `device_code` is empty or over 8 KiB"));
    }
    let address = |url: &str| {
        let url = secure_url("verification_uri", url).map_err(|_| {
            invalid("its `verification_uri` is neither https nor a loopback address")
        })?;
        if is_local(&url) && !is_local(asked) {
            return Err(invalid(
                "its `verification_uri` is an address of this machine or its network link, and the \
                 server is elsewhere",
            ));
        }
        Ok(url)
    };
    let seconds = |seconds| Duration::try_from_secs_f64(seconds).ok();
    let lifetime = seconds(document.expires_in).filter(|lifetime| !lifetime.is_zero());
    let lifetime = lifetime.ok_or_else(|| invalid("its `expires_in` is no number of seconds"))?;
    let interval = match document.interval {
        None => DEFAULT_INTERVAL,
        Some(found) => seconds(found).ok_or_else(|| invalid("its `interval` is negative"))?,
    };
    let complete = document.verification_uri_complete.as_deref().map(address).transpose()?;
    Ok(Read {
        prompt: DevicePrompt {
            user_code: document.user_code,
            verification_uri: address(&document.verification_uri)?,
            verification_uri_complete: complete,
            expires_in: lifetime.min(MAX_LIFETIME),
        },
        device_code: document.device_code,
        interval: interval.clamp(MIN_INTERVAL, MAX_INTERVAL),
    })
}

impl PendingDevice {
    /// What to show to the person.
    #[must_use]
    pub fn prompt(&self) -> &DevicePrompt {
        &self.prompt
    }

    /// Asks, as often as the server allows, until the person has typed in the code (RFC 8628 §3.5).
    ///
    /// A server that cannot be reached is asked again, each time after twice as long.
    ///
    /// # Errors
    /// [`LoginError::CodeExpired`] when the person did not in time, [`LoginError::Server`] when they
    /// declined.
    pub async fn wait(self) -> Result<LoginOutcome, LoginError> {
        let server = &self.party.server;
        let clock = server.clock();
        let form = [("grant_type", GRANT), ("device_code", self.device_code.expose_secret())];
        let mut interval = self.interval;
        loop {
            let remaining = self.expires_at.duration_since(clock.now()).unwrap_or_default();
            if remaining <= interval {
                clock.sleep(remaining).await;
                return Err(LoginError::CodeExpired);
            }
            clock.sleep(interval).await;
            let asked_at = clock.now();
            let error = match server.token(&form, None).await {
                Ok(response) => {
                    let asked = Asked { scope: &self.scope, nonce: None };
                    return self.party.accept(response, asked, asked_at, || true).await;
                }
                Err(error) => error,
            };
            interval = match (&error, code_of(&error)) {
                (_, Some("authorization_pending")) => interval,
                (_, Some("slow_down")) => (interval + SLOW_DOWN).min(MAX_INTERVAL),
                (_, Some("expired_token")) => return Err(LoginError::CodeExpired),
                (TokenError::Unreachable(_), _) => (interval * 2).min(MAX_INTERVAL),
                _ => return Err(error.into()),
            };
        }
    }
}

fn code_of(error: &TokenError) -> Option<&str> {
    match error {
        TokenError::Refused { error, .. } => Some(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_server_elsewhere_sends_no_person_to_an_address_of_their_own_machine() {
        let read = |asked: &str, uri: &str, complete: &str| {
            let body = format!(
                r#"{{"device_code":"d","user_code":"WDJB-MJHT","expires_in":600,
                    "verification_uri":"{uri}","verification_uri_complete":"{complete}"}}"#
            );
            let answer = Answer { status: 200, headers: HeaderMap::new(), body: body.into_bytes() };
            read(&answer, &Url::parse(asked).unwrap()).map(|_| ())
        };
        let (remote, own) = ("https://a.example/d", "http://127.0.0.1:1/d");
        assert!(read(remote, remote, remote).is_ok());
        assert!(read(own, own, own).is_ok());
        for local in [own, "https://localhost/", "https://169.254.169.254/", "https://[::]/"] {
            for (uri, complete) in [(local, remote), (remote, local)] {
                let error = read(remote, uri, complete).unwrap_err().to_string();
                assert!(error.contains("address of this machine"), "{uri} {complete}: {error}");
            }
        }
    }
}
