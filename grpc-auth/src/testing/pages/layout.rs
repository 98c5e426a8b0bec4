//! The frame of every page, and the headers that keep it to itself.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

/// The one style that a page may have; no script, no image, nothing from anywhere.
static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, STYLE.as_bytes()))));

/// How wide a page is.
#[derive(Clone, Copy)]
pub(super) enum Width {
    /// One thing to read or to fill in.
    Narrow,
    Wide,
}

/// Answers with a page whose forms may lead to this server, and to `source` if there is one.
pub(super) fn page(
    status: StatusCode,
    source: Option<&str>,
    title: &str,
    width: Width,
    content: &Markup,
) -> Response {
    let class = match width {
        Width::Narrow => "narrow",
        Width::Wide => "wide",
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main class=(class) { (content) }
                footer { "grpc-auth · an authorization server for development" }
            }
        }
    };
    let content_type = [(CONTENT_TYPE, "text/html; charset=utf-8")];
    let mut response = (status, content_type, page.into_string()).into_response();
    protect(&mut response, source);
    response
}

/// Sets the headers of what is between this server and one person.
pub(crate) fn protect(response: &mut Response, source: Option<&str>) {
    let policy = format!(
        "default-src 'none'; style-src {}; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self' {}",
        *STYLE_SOURCE,
        source.unwrap_or_default()
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(policy.trim_end()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// What is wrong with a form, before anything else on the page, with a link to the field.
pub(super) fn summary(problem: &str, field: &str) -> Markup {
    html! {
        div.summary role="alert" tabindex="-1" autofocus {
            h2 { "There is a problem" }
            p { a href={ "#" (field) } { (problem) } }
        }
    }
}

/// A key in a circle.
pub(super) fn emblem() -> Markup {
    html! {
        svg.emblem viewBox="0 0 48 48" width="48" height="48" aria-hidden="true" focusable="false" {
            circle cx="24" cy="24" r="24" {}
            path d="M19 17a7 7 0 1 0 6.7 9H29v4h4v-4h3v-4H25.7A7 7 0 0 0 19 17Zm0 5a2 2 0 1 1 0 4 2 2 0 0 1 0-4Z" {}
        }
    }
}
