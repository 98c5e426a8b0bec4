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

use super::index::show;
use super::layout::summary;
use super::mint_form::Wish;
use crate::json;
use crate::lock::locked;
use crate::testing::data::state::State;
use crate::testing::endpoints::forms::is_own_form;

/// Gives a token to the person at this machine: not to a page of another site's, which has the
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
