//! May it?

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::layout::{Width, emblem, page};
use crate::lock::locked;
use crate::testing::data::purpose::Purpose;
use crate::testing::data::state::State;

/// What a program, or another device, asks the person for who signed in.
pub(crate) fn consent(state: &State, ticket: &str, purpose: &Purpose, user: &str) -> Response {
    let name = client_name(state, purpose);
    let content = html! {
        (emblem())
        h1 { "Allow " (name) "?" }
        p.lead { "You are signed in as " strong { (user) } "." }
        @if let Purpose::Device(request) = purpose {
            p { "Another device wants to act for you. Allow it only if it is yours, and shows this code:" }
            p.user-code { (request.user_code) }
        }
        @if purpose.access().scopes.is_empty() {
            p { "It asks for nothing but to know that you are here." }
        } @else {
            h2 { "It asks to" }
            ul.scopes { @for scope in &purpose.access().scopes { li { (meaning(state, scope)) } } }
        }
        dl.facts {
            @if let Some(audience) = &purpose.access().audience {
                dt { "At" }
                dd { (audience) }
            }
            @if let Purpose::Authorization(request) = purpose {
                dt { "You are sent back to" }
                dd { (request.recipient.redirect_uri) }
            }
        }
        form method="post" action="/consent" {
            input type="hidden" name="ticket" value=(ticket);
            div.buttons {
                button.primary type="submit" name="decision" value="allow" { "Allow" }
                button type="submit" name="decision" value="deny" { "Deny" }
            }
        }
    };
    let title = format!("Allow {name}?");
    page(StatusCode::OK, purpose.source().as_deref(), &title, Width::Narrow, &content)
}

pub(super) fn client_name(state: &State, purpose: &Purpose) -> String {
    let id = &purpose.access().client_id;
    let name = locked(&state.clients).get(id).and_then(|client| client.name.clone());
    name.unwrap_or_else(|| id.clone())
}

/// What a scope lets the program do, as far as that is known.
pub(super) fn meaning(state: &State, scope: &str) -> Markup {
    let text = match scope {
        "openid" => Some("Know who you are".to_owned()),
        "offline_access" => Some("Go on while you are away".to_owned()),
        _ => locked(&state.scope_texts).get(scope).cloned(),
    };
    html! {
        @if let Some(text) = text { (text) }
        code { (scope) }
    }
}
