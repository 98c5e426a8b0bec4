//! Tokens to try things with.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::index::show;
use super::layout::summary;
use super::mint_form::Wish;
use crate::jose::compact::unverified_claims;
use crate::json;
use crate::testing::data::state::State;

/// Gives a token to the person at this machine. The router rejects the forms of other sites' pages.
pub(crate) async fn mint(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let wish = Wish::read(&body);
    if let Some((field, problem)) = wish.problem() {
        let problem = summary(&problem, field);
        return show(&state, StatusCode::UNPROCESSABLE_ENTITY, &wish, Some(&problem));
    }
    let token = state
        .token_of(&wish.subject)
        .audience(&wish.audience)
        .scopes(wish.scopes.iter().map(String::as_str))
        .expires_in(state.token_lifetime())
        .sign();
    show(&state, StatusCode::OK, &wish, Some(&minted(&token)))
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
    let claims = unverified_claims(token.as_bytes()).unwrap_or_default();
    json::read::<Value>(&claims).map(|claims| format!("{claims:#}")).unwrap_or_default()
}
