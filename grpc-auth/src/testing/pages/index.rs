//! What is registered here.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::header::REFERRER_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::decision::meaning;
use super::layout::{Width, emblem, page};
use super::mint_form::{Wish, mint_form};
use crate::json;
use crate::lock::locked;
use crate::testing::data::registration::ClientRegistration;
use crate::testing::data::registry::Credentials;
use crate::testing::data::state::State;

pub(crate) async fn index(Shared(state): Shared<Arc<State>>) -> Response {
    show(&state, StatusCode::OK, &Wish::first(&state), None)
}

pub(super) fn show(
    state: &State,
    status: StatusCode,
    wish: &Wish,
    result: Option<&Markup>,
) -> Response {
    let content = html! {
        header.head {
            (emblem())
            div {
                h1 { "Authorization server" }
                p { (state.url) }
            }
        }
        div.board {
            @if let Some(result) = result { section.panel.full { (result) } }
            (mint_form(state, wish))
            (endpoints(state))
            (clients(state))
            (users(state))
            (keys(state))
        }
    };
    let mut response = page(status, None, "Authorization server", Width::Wide, &content);
    // With `no-referrer` the form would come from the origin `null`.
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn endpoints(state: &State) -> Markup {
    html! {
        section.panel {
            h2 { "Endpoints" }
            dl.facts {
                @for (name, path) in [
                    ("Metadata", ".well-known/openid-configuration"),
                    ("Keys", ".well-known/jwks.json"),
                    ("Authorization", "authorize"),
                    ("Token", "oauth/token"),
                    ("Device authorization", "oauth/device_authorization"),
                    ("Device page", "device"),
                    ("Revocation", "oauth/revoke"),
                    ("Introspection", "introspect"),
                ] {
                    dt { (name) }
                    dd { code { (state.url) (path) } }
                }
            }
        }
    }
}

fn clients(state: &State) -> Markup {
    let clients = locked(&state.clients).clone();
    html! {
        section.panel {
            h2 { "Clients" }
            @if clients.is_empty() { p { "None is registered." } }
            @for client in clients.values() { (entry(client)) }
        }
    }
}

fn entry(client: &ClientRegistration) -> Markup {
    let kind = match client.credentials {
        Credentials::None => "public",
        Credentials::Secret(_) => "with a secret",
        Credentials::Keys(_) => "with a key of its own",
    };
    html! {
        div.entry {
            h3 { (client.name.as_deref().unwrap_or(&client.id)) }
            p.kind { code { (client.id) } ", " (kind) }
            @if !client.scopes.is_empty() {
                ul.tags { @for scope in &client.scopes { li { code { (scope) } } } }
            }
            @for uri in &client.redirect_uris { p.kind { "Sends people back to " code { (uri) } } }
        }
    }
}

fn users(state: &State) -> Markup {
    let users = locked(&state.users);
    let texts = locked(&state.scope_texts).keys().cloned().collect::<Vec<_>>();
    html! {
        section.panel {
            h2 { "Users" }
            @if users.0.is_empty() {
                p { "No user is registered." }
            } @else {
                ul.tags { @for name in users.0.keys() { li { (name) } } }
            }
        }
        @if !texts.is_empty() {
            section.panel {
                h2 { "Scopes" }
                ul.scopes { @for scope in &texts { li { (meaning(state, scope)) } } }
            }
        }
    }
}

fn keys(state: &State) -> Markup {
    let published: Value = json::read(state.published_jwks().as_bytes()).unwrap_or_default();
    let keys = published.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |key: &Value, name: &str| -> String {
        key.get(name).and_then(Value::as_str).unwrap_or_default().into()
    };
    html! {
        section.panel {
            h2 { "Public keys" }
            @for key in &keys {
                details.entry {
                    summary { code { (text(key, "kid")) } ", " (text(key, "alg")) }
                    pre tabindex="0" { (format!("{key:#}")) }
                }
            }
        }
    }
}
