//! The forms in front of a person.
//!
//! There is no session and no cookie: each form has a secret that stands for what was asked, and
//! leads to the next form with a new one. A form that another site sends has none.

use std::time::Duration;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::parameters::Parameters;
use crate::testing::data::purpose::{Interaction, Purpose};
use crate::testing::data::state::State;
use crate::testing::pages;

const LIFETIME: Duration = Duration::from_secs(600);
/// How many may be open: anyone can open them.
const MAX_OPEN: usize = 1000;

/// Shows the first form.
pub(crate) fn begin(state: &State, purpose: Purpose) -> Response {
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
pub(crate) fn next(state: &State, interaction: Interaction, failed: Option<&str>) -> Response {
    let (purpose, user) = (interaction.purpose.clone(), interaction.user.clone());
    let Ok(ticket) = state.grants.interactions.store(interaction) else {
        return pages::unavailable("The server has no random numbers.");
    };
    match user {
        Some(user) => pages::consent(state, &ticket, &purpose, &user),
        None => pages::sign_in(state, &ticket, &purpose, failed),
    }
}

/// Takes what a form stands for: each is sent once.
#[expect(clippy::result_large_err, reason = "a response is what is answered")]
pub(crate) fn taken(
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

pub(crate) fn expired() -> Response {
    pages::problem(
        "This form has expired or was sent already. Start again from the application that sent \
         you here.",
    )
}

/// Whether a form comes from a page of this server's, and not from one of another site. Browsers
/// say so; other programs have no session to misuse.
#[expect(clippy::result_large_err, reason = "a response is what is answered")]
pub(crate) fn is_own_form(headers: &HeaderMap) -> Result<(), Response> {
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
