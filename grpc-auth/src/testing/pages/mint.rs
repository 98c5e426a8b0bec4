//! Tokens to try things with.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};
use serde_json::Value;
use url::form_urlencoded;

use super::index::show;
use super::layout::summary;
use crate::json;
use crate::testing::consent::is_own_form;
use crate::testing::server::{AuthorizationServer, State, locked};
use crate::token::scope::is_scope_token;

/// A token that someone wants.
pub(super) struct Wish {
    subject: String,
    audience: String,
    scopes: Vec<String>,
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
    /// What the form begins with.
    pub(super) fn first(state: &State) -> Self {
        let user = locked(&state.users).0.keys().next().cloned();
        Self {
            subject: user.unwrap_or_else(|| "test".into()),
            audience: AuthorizationServer::AUDIENCE.into(),
            scopes: Vec::new(),
        }
    }

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
    let claims: Option<Value> = claims.and_then(|claims| json::read(&claims).ok());
    claims.map(|claims| format!("{claims:#}")).unwrap_or_default()
}

pub(super) fn mint_form(state: &State, wish: &Wish) -> Markup {
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
