//! What is registered here, and tokens to try things with.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::header::REFERRER_POLICY;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};
use serde_json::Value;
use url::form_urlencoded;

use super::decision::meaning;
use super::layout::{Width, emblem, page, summary};
use crate::scope::is_scope_token;
use crate::testing::interaction::{is_at_home, is_own_form};
use crate::testing::registry::{Client, Credentials};
use crate::testing::server::{AuthorizationServer, State, locked};

/// A token that someone wants.
struct Wish {
    subject: String,
    audience: String,
    scopes: Vec<String>,
}

pub(crate) async fn index(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    if let Err(refusal) = is_at_home(&headers) {
        return refusal;
    }
    let wish = Wish {
        subject: locked(&state.users).0.keys().next().cloned().unwrap_or_else(|| "test".into()),
        audience: AuthorizationServer::AUDIENCE.into(),
        scopes: Vec::new(),
    };
    show(&state, StatusCode::OK, &wish, None)
}

/// Gives a token to whoever sits at this machine: not to a page of another site's, which has the
/// browser ask.
pub(crate) async fn mint(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = is_own_form(&headers) {
        return refusal;
    }
    let wish = Wish::read(&body);
    match wish.problem() {
        Some(problem) => {
            let problem = summary(&problem.1, problem.0);
            show(&state, StatusCode::UNPROCESSABLE_ENTITY, &wish, Some(&problem))
        }
        None => {
            let claims = locked(&state.users).0.get(&wish.subject).map(|user| user.claims.clone());
            let token = state.token().expires_in(state.tokens.lifetime());
            let token = claims
                .unwrap_or_default()
                .into_iter()
                .fold(token, |token, (name, value)| token.claim(name, value))
                .subject(&wish.subject)
                .audience(&wish.audience)
                .scopes(wish.scopes.iter().map(String::as_str))
                .sign();
            show(&state, StatusCode::OK, &wish, Some(&minted(&token)))
        }
    }
}

impl Wish {
    /// Each box that is ticked is a `scope` of its own; what is typed may be several.
    fn read(form: &[u8]) -> Self {
        let mut wish = Self { subject: String::new(), audience: String::new(), scopes: Vec::new() };
        for (name, value) in form_urlencoded::parse(form) {
            match &*name {
                "subject" => wish.subject = value.trim().into(),
                "audience" => wish.audience = value.trim().into(),
                "scope" => wish.scopes.extend(value.split_whitespace().map(String::from)),
                _ => {}
            }
        }
        wish
    }

    /// The field that is wrong, and how.
    fn problem(&self) -> Option<(&'static str, String)> {
        if self.subject.is_empty() {
            return Some(("subject", "Write whom the token is about.".into()));
        }
        if self.audience.is_empty() {
            return Some(("audience", "Write which service the token is for.".into()));
        }
        let wrong = self.scopes.iter().find(|scope| !is_scope_token(scope.as_bytes()))?;
        Some((
            "scope",
            format!("“{wrong}” cannot be a scope: it has a character that none may have."),
        ))
    }
}

fn show(state: &State, status: StatusCode, wish: &Wish, result: Option<&Markup>) -> Response {
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

fn minted(token: &str) -> Markup {
    let grpcurl =
        format!("grpcurl -plaintext -H 'authorization: Bearer {token}' localhost:50051 list");
    html! {
        div role="status" { h2 { "Here is your token" } }
        div.field {
            label for="token" { "Access token" }
            textarea #token readonly rows="5" spellcheck="false" autofocus { (token) }
        }
        div.field {
            label for="grpcurl" { "With grpcurl" }
            textarea #grpcurl readonly rows="5" spellcheck="false" { (grpcurl) }
        }
        details {
            summary { "What it says" }
            pre tabindex="0" { (claims(token)) }
        }
    }
}

/// The claims of a token, for people.
fn claims(token: &str) -> String {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Option<Value> = claims.and_then(|json| serde_json::from_slice(&json).ok());
    claims.map(|claims| format!("{claims:#}")).unwrap_or_default()
}

fn mint_form(state: &State, wish: &Wish) -> Markup {
    let known = known_scopes(state);
    let others: Vec<_> = wish.scopes.iter().filter(|scope| !known.contains(scope)).collect();
    let others = others.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    html! {
        section.panel.full {
            h2 { "Get a token" }
            form method="post" action="/mint" {
                div.fields {
                    div.field {
                        label for="subject" { "Subject" }
                        input #subject type="text" name="subject" value=(wish.subject) required
                            list="users" autocomplete="off" autocapitalize="none" spellcheck="false";
                        datalist #users {
                            @for name in locked(&state.users).0.keys() { option value=(name) {} }
                        }
                    }
                    div.field {
                        label for="audience" { "Audience" }
                        input #audience type="text" name="audience" value=(wish.audience) required
                            autocomplete="off" autocapitalize="none" spellcheck="false";
                    }
                }
                @if !known.is_empty() {
                    fieldset {
                        legend { "Scopes" }
                        div.choices {
                            @for scope in &known {
                                label {
                                    input type="checkbox" name="scope" value=(scope)
                                        checked[wish.scopes.contains(scope)];
                                    code { (scope) }
                                }
                            }
                        }
                    }
                }
                div.field {
                    label for="scope" { @if known.is_empty() { "Scopes" } @else { "Other scopes" } }
                    p.hint #scope-hint { "Separated by spaces." }
                    input #scope type="text" name="scope" value=(others) autocomplete="off"
                        autocapitalize="none" spellcheck="false" aria-describedby="scope-hint";
                }
                div.buttons { button.primary type="submit" { "Get a token" } }
            }
        }
    }
}

/// What any client may be granted, and what is described.
fn known_scopes(state: &State) -> Vec<String> {
    let mut scopes: Vec<String> = locked(&state.scope_texts).keys().cloned().collect();
    for client in locked(&state.clients).values() {
        scopes.extend(client.scopes.iter().cloned());
    }
    scopes.sort_unstable();
    scopes.dedup();
    scopes
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
            @for (id, client) in &clients { (entry(id, client)) }
        }
    }
}

fn entry(id: &str, client: &Client) -> Markup {
    let kind = match client.credentials {
        Credentials::None => "public",
        Credentials::Secret(_) => "with a secret",
        Credentials::Keys(_) => "with a key of its own",
    };
    html! {
        div.entry {
            h3 { (client.name.as_deref().unwrap_or(id)) }
            p.kind { code { (id) } ", " (kind) }
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
                p { "Nobody is registered." }
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
    let published: Value = serde_json::from_str(&state.published_jwks()).unwrap_or_default();
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
