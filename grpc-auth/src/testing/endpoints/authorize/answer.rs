//! What a client gets by way of the browser.

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};

use crate::testing::data::purpose::Recipient;
use crate::testing::endpoints::oauth_error::OAuthError;
use crate::testing::pages;

impl Recipient {
    /// RFC 6749 §4.1.2.1.
    pub(crate) fn error(&self, issuer: &str, error: &OAuthError) -> String {
        let answer = [("error", error.error), ("error_description", &*error.description)];
        self.address(issuer, &answer)
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
