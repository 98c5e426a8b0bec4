//! A person in front of a form: signing in, and consenting.
//!
//! There is no session and no cookie: each form has a secret that stands for what was asked, and
//! leads to the next form with a new one. A form that another site sends has none.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::error::Unspecified;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::authorize;
use super::authorize::request::AuthorizationRequest;
use super::device;
use super::device::DeviceRequest;
use super::endpoints::oauth_error::OAuthError;
use super::endpoints::parameters::Parameters;
use super::pages;
use super::server::{State, locked};

/// What one person is about to decide.
pub(super) struct Interaction {
    purpose: Purpose,
    /// Who signed in.
    user: Option<String>,
    failures: u8,
    expires_at: SystemTime,
}

/// What is asked of a person.
#[derive(Clone)]
pub(super) enum Purpose {
    /// To let a program on this device have tokens.
    Authorization(AuthorizationRequest),
    /// To let another device have tokens.
    Device(DeviceRequest),
}

const LIFETIME: Duration = Duration::from_secs(600);
/// How many may be open: anyone can open them.
const MAX_OPEN: usize = 1000;
/// How many wrong passwords a form takes.
const MAX_FAILURES: u8 = 5;

impl Purpose {
    pub(super) fn client_id(&self) -> &str {
        match self {
            Self::Authorization(request) => &request.client_id,
            Self::Device(request) => &request.client_id,
        }
    }

    pub(super) fn scopes(&self) -> &[String] {
        match self {
            Self::Authorization(request) => &request.scopes,
            Self::Device(request) => &request.scopes,
        }
    }

    pub(super) fn audience(&self) -> Option<&str> {
        match self {
            Self::Authorization(request) => request.audience.as_deref(),
            Self::Device(request) => request.audience.as_deref(),
        }
    }

    pub(super) fn login_hint(&self) -> Option<&str> {
        match self {
            Self::Authorization(request) => request.login_hint.as_deref(),
            Self::Device(_) => None,
        }
    }

    /// Where its forms may lead besides this server.
    pub(super) fn source(&self) -> Option<String> {
        match self {
            Self::Authorization(request) => Some(request.recipient.source()),
            Self::Device(_) => None,
        }
    }

    fn allow(&self, state: &State, user: &str) -> Result<Response, Unspecified> {
        match self {
            Self::Authorization(request) => {
                Ok(authorize::send_to(&authorize::allow(state, request, user)?))
            }
            Self::Device(request) if device::allow(state, &request.user_code, user) => {
                Ok(pages::device_done(true))
            }
            Self::Device(_) => Ok(expired()),
        }
    }

    fn deny(&self, state: &State) -> Response {
        match self {
            Self::Authorization(request) => {
                let error = OAuthError::bad("access_denied", "the request was not allowed");
                authorize::send_to(&request.recipient.error(&state.url, &error))
            }
            Self::Device(request) => {
                device::deny(state, &request.user_code);
                pages::device_done(false)
            }
        }
    }
}

/// Shows the first form.
pub(super) fn begin(state: &State, purpose: Purpose) -> Response {
    let now = state.clock.now();
    let open = &state.grants.interactions;
    open.retain(|interaction| interaction.expires_at > now);
    if open.len() >= MAX_OPEN {
        return pages::unavailable("Too many people are signing in. Try again later.");
    }
    let expires_at = now + LIFETIME;
    let interaction = Interaction { purpose, user: None, failures: 0, expires_at };
    next(state, interaction, None)
}

/// Shows the form that comes next, under a new secret.
fn next(state: &State, interaction: Interaction, failed: Option<&str>) -> Response {
    let (purpose, user) = (interaction.purpose.clone(), interaction.user.clone());
    let Ok(ticket) = state.grants.interactions.store(interaction) else {
        return pages::unavailable("The server has no random numbers.");
    };
    match user {
        Some(user) => pages::consent(state, &ticket, &purpose, &user),
        None => pages::sign_in(state, &ticket, &purpose, failed),
    }
}

/// The form with name and password.
pub(super) async fn sign_in(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (form, mut interaction) = match taken(&state, &headers, &body) {
        Ok(taken) => taken,
        Err(refusal) => return refusal,
    };
    if form.get("decision") == Some("deny") {
        return interaction.purpose.deny(&state);
    }
    let [name, password] = ["username", "password"].map(|name| form.get(name).unwrap_or_default());
    if locked(&state.users).knows(name, password) {
        interaction.user = Some(name.into());
        return next(&state, interaction, None);
    }
    interaction.failures += 1;
    if interaction.failures >= MAX_FAILURES {
        return pages::problem(
            "Too many wrong passwords. Start again from the application that sent you here.",
        );
    }
    next(&state, interaction, Some(name))
}

/// The form with what is asked for.
pub(super) async fn consent(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (form, interaction) = match taken(&state, &headers, &body) {
        Ok(taken) => taken,
        Err(refusal) => return refusal,
    };
    match (form.get("decision"), &interaction.user) {
        (Some("allow"), Some(user)) => {
            let allowed = interaction.purpose.allow(&state, user);
            allowed.unwrap_or_else(|_| pages::unavailable("The server has no random numbers."))
        }
        (Some("deny"), _) => interaction.purpose.deny(&state),
        // Nobody signed in, or no button was pressed.
        _ => pages::problem("The form was not filled in. Start again from the application."),
    }
}

/// Takes what a form stands for: each is sent once.
#[expect(clippy::result_large_err, reason = "a response is what is answered")]
fn taken(
    state: &State,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Parameters, Interaction), Response> {
    is_own_form(headers)?;
    let form = Parameters::of_form(body).unwrap_or_default();
    let ticket = form.get("ticket").unwrap_or_default();
    let now = state.clock.now();
    let interaction = state.grants.interactions.take(ticket);
    match interaction.filter(|interaction| interaction.expires_at > now) {
        Some(interaction) => Ok((form, interaction)),
        None => Err(expired()),
    }
}

fn expired() -> Response {
    pages::problem(
        "This form has expired or was sent already. Start again from the application that sent \
         you here.",
    )
}

/// Whether a form comes from a page of this server's, and not from one of another site. Browsers
/// say so; programs that are none have no one's session to misuse.
#[expect(clippy::result_large_err, reason = "a response is what is answered")]
pub(super) fn is_own_form(headers: &HeaderMap) -> Result<(), Response> {
    let text = |name: &str| headers.get(name).map(|value| value.as_bytes());
    let is_own = match (text("sec-fetch-site"), text(ORIGIN.as_str()), text(HOST.as_str())) {
        // The origin is `null` then: the pages send no referrer.
        (Some(site), _, _) => site == b"same-origin",
        (None, Some(origin), Some(host)) => origin.strip_prefix(b"http://") == Some(host),
        (None, None, _) => true,
        (None, Some(_), None) => false,
    };
    if is_own {
        return Ok(());
    }
    Err(pages::refused(StatusCode::FORBIDDEN, "The form was sent by another site."))
}
