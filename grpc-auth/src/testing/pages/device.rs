//! Which device is it?

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::layout::{Width, emblem, page, summary};

/// The form for the code that a device shows; again if no device shows this one.
pub(crate) fn device(user_code: &str, problem: Option<&str>) -> Response {
    let content = html! {
        (emblem())
        @if let Some(problem) = problem { (summary(problem, "user_code")) }
        h1 { "Connect a device" }
        @if user_code.is_empty() || problem.is_some() {
            p.lead { "Type the code that the device shows." }
        } @else {
            p.lead { "Go on only if the device shows this very code." }
        }
        form method="post" action="/device" {
            div.field {
                label for="user_code" { "Code" }
                input.code #user_code type="text" name="user_code" value=(user_code) required
                    maxlength="20" autocomplete="off" autocapitalize="characters"
                    spellcheck="false" aria-invalid=[problem.map(|_| "true")]
                    autofocus[problem.is_none()];
            }
            div.buttons { button.primary type="submit" { "Continue" } }
        }
    };
    let (status, title) = match problem {
        Some(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Problem: connect a device"),
        None => (StatusCode::OK, "Connect a device"),
    };
    page(status, None, title, Width::Narrow, &content)
}

/// What became of it.
pub(crate) fn device_done(is_allowed: bool) -> Response {
    let (title, text) = if is_allowed {
        ("Device connected", "It goes on by itself in a few seconds. You can close this page.")
    } else {
        ("Device refused", "It gets nothing. You can close this page.")
    };
    let content = html! {
        (emblem())
        h1 { (title) }
        p.lead { (text) }
    };
    page(StatusCode::OK, None, title, Width::Narrow, &content)
}
