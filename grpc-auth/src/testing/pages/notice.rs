//! Pages that say why something did not happen.

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::layout::{Width, emblem, page};

/// A person cannot go on with what they came with.
pub(crate) fn problem(text: &str) -> Response {
    refused(StatusCode::BAD_REQUEST, text)
}

/// The server cannot go on.
pub(crate) fn unavailable(text: &str) -> Response {
    refused(StatusCode::SERVICE_UNAVAILABLE, text)
}

pub(crate) fn refused(status: StatusCode, text: &str) -> Response {
    let content = html! {
        (emblem())
        h1 { "This does not work" }
        p.lead { (text) }
    };
    page(status, None, "This does not work", Width::Narrow, &content)
}
