//! The forms in front of a person.
//!
//! There is no session and no cookie: each form has a secret that stands for what was asked, and
//! leads to the next form with a new one. A form that another site sends has none.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
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
    let ticket = state.grants.interactions.store(interaction);
    match user {
        Some(user) => pages::consent(state, &ticket, &purpose, &user),
        None => pages::sign_in(state, &ticket, &purpose, failed),
    }
}

/// Takes what a form stands for, which is sent once; none if it has expired or was sent before.
pub(crate) fn taken(state: &State, form: &Parameters) -> Option<Interaction> {
    let interaction = state.grants.interactions.take(form.get("ticket")?)?;
    (interaction.expires_at > state.clock.now()).then_some(interaction)
}

pub(crate) fn expired() -> Response {
    pages::problem(
        "This form has expired or was sent already. Start again from the application that sent \
         you here.",
    )
}

/// Rejects forms of other sites' pages.
pub(crate) async fn require_own_form(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_own_form(request.headers()) {
        return next.run(request).await;
    }
    pages::refused(StatusCode::FORBIDDEN, "The form was sent by another site.")
}

/// Whether a form comes from a page of this server's. Browsers say so; other programs have no
/// session to misuse.
fn is_own_form(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.as_bytes());
    match (text("sec-fetch-site"), text(ORIGIN.as_str()), text(HOST.as_str())) {
        // The origin is `null` then: the pages send no referrer.
        (Some(site), _, _) => site == b"same-origin",
        (None, Some(origin), Some(host)) => origin.strip_prefix(b"http://") == Some(host),
        (None, None, _) => true,
        (None, Some(_), None) => false,
    }
}
