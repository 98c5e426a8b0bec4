//! What a client is told by way of the browser.

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use url::{Url, form_urlencoded};

use crate::testing::endpoints::oauth_error::OAuthError;
use crate::testing::pages;

/// Where a client waits for its answer: an address it registered.
#[derive(Clone)]
pub(crate) struct Recipient {
    pub(crate) redirect_uri: String,
    pub(super) state: Option<String>,
}

impl Recipient {
    /// The address with an answer in its query, whose issuer it names (RFC 9207).
    pub(crate) fn address(&self, issuer: &str, answer: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer);
        // Appended to the text: a parser would write the rest in its own way.
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.redirect_uri, query.finish())
    }

    /// RFC 6749 §4.1.2.1.
    pub(crate) fn error(&self, issuer: &str, error: &OAuthError) -> String {
        let answer = [("error", error.error), ("error_description", &*error.description)];
        self.address(issuer, &answer)
    }

    /// What a form may lead to, for `form-action`, which browsers apply to redirects as well.
    pub(crate) fn source(&self) -> String {
        let Ok(url) = Url::parse(&self.redirect_uri) else { return String::new() };
        match url.origin() {
            // An IPv6 address cannot be written there.
            origin if origin.is_tuple() && !self.redirect_uri.contains('[') => {
                origin.ascii_serialization()
            }
            _ => format!("{}:", url.scheme()),
        }
    }
}

/// Sends the browser on, with GET whatever it came with.
pub(crate) fn send_to(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(address) = address.parse() {
        response.headers_mut().insert(LOCATION, address);
    }
    pages::protect(&mut response, None);
    response
}
