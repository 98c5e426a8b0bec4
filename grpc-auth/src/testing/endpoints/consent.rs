//! Signing in and consenting.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::response::Response;

use super::authorize::answer::send_to;
use super::forms::{expired, next, taken};
use super::parameters::Parameters;
use super::{authorize, device};
use crate::lock::locked;
use crate::testing::data::purpose::Purpose;
use crate::testing::data::state::State;
use crate::testing::pages;

/// How many wrong passwords a form takes.
const MAX_FAILURES: u8 = 5;

impl Purpose {
    fn allow(&self, state: &State, user: &str) -> Response {
        match self {
            Self::Authorization(request) => send_to(&authorize::allow(state, request, user)),
            Self::Device(request) if device::allow(state, &request.user_code, user) => {
                pages::device_done(true)
            }
            Self::Device(_) => expired(),
        }
    }

    fn deny(&self, state: &State) -> Response {
        match self {
            Self::Authorization(request) => send_to(&authorize::deny(state, request)),
            Self::Device(request) => {
                device::deny(state, &request.user_code);
                pages::device_done(false)
            }
        }
    }
}

/// The form with name and password.
pub(crate) async fn sign_in(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let form = Parameters::of_form(&body).unwrap_or_default();
    let Some(mut interaction) = taken(&state, &form) else { return expired() };
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
pub(crate) async fn consent(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let form = Parameters::of_form(&body).unwrap_or_default();
    let Some(interaction) = taken(&state, &form) else { return expired() };
    match (form.get("decision"), &interaction.user) {
        (Some("allow"), Some(user)) => interaction.purpose.allow(&state, user),
        (Some("deny"), _) => interaction.purpose.deny(&state),
        // No user signed in, or no button was pressed.
        _ => pages::problem("The form was not filled in. Start again from the application."),
    }
}
