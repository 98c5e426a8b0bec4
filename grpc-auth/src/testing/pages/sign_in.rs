//! Who is it?

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::decision::client_name;
use super::layout::{Width, emblem, page, summary};
use crate::testing::data::purpose::Purpose;
use crate::testing::data::state::State;

/// The form; again after a wrong password for this name. Which of the two was wrong is not
/// said.
pub(crate) fn sign_in(
    state: &State,
    ticket: &str,
    purpose: &Purpose,
    failed: Option<&str>,
) -> Response {
    let is_wrong = failed.is_some();
    let name = failed.or(purpose.login_hint()).unwrap_or_default();
    let content = html! {
        (emblem())
        @if is_wrong { (summary("The user name or the password is wrong.", "username")) }
        h1 { "Sign in" }
        p.lead { "to go on to " strong { (client_name(state, purpose)) } }
        form method="post" action="/sign-in" {
            input type="hidden" name="ticket" value=(ticket);
            div.field {
                label for="username" { "User name" }
                input #username type="text" name="username" value=(name) required
                    autocomplete="username" autocapitalize="none" spellcheck="false"
                    aria-invalid=[is_wrong.then_some("true")] autofocus[!is_wrong && name.is_empty()];
            }
            div.field {
                label for="password" { "Password" }
                input #password type="password" name="password" required
                    autocomplete="current-password"
                    aria-invalid=[is_wrong.then_some("true")] autofocus[!is_wrong && !name.is_empty()];
            }
            div.buttons {
                button.primary type="submit" { "Sign in" }
                button type="submit" name="decision" value="deny" formnovalidate { "Cancel" }
            }
        }
    };
    let (status, title) = if is_wrong {
        (StatusCode::UNPROCESSABLE_ENTITY, "Problem: sign in")
    } else {
        (StatusCode::OK, "Sign in")
    };
    page(status, purpose.source().as_deref(), title, Width::Narrow, &content)
}
