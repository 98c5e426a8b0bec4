//! What a person is asked for, and by which program.

use std::time::SystemTime;

use url::{Url, form_urlencoded};

use super::grants::Access;

/// What one person is about to decide.
pub(crate) struct Interaction {
    pub(crate) purpose: Purpose,
    /// Who signed in.
    pub(crate) user: Option<String>,
    pub(crate) failures: u8,
    pub(crate) expires_at: SystemTime,
}

/// What is asked of a person.
#[derive(Clone)]
pub(crate) enum Purpose {
    /// To let a program on this device have tokens.
    Authorization(AuthorizationRequest),
    /// To let another device have tokens.
    Device(DeviceRequest),
}

impl Purpose {
    pub(crate) fn access(&self) -> &Access {
        match self {
            Self::Authorization(request) => &request.access,
            Self::Device(request) => &request.access,
        }
    }

    pub(crate) fn login_hint(&self) -> Option<&str> {
        match self {
            Self::Authorization(request) => request.login_hint.as_deref(),
            Self::Device(_) => None,
        }
    }

    /// Where its forms may lead besides this server.
    pub(crate) fn source(&self) -> Option<String> {
        match self {
            Self::Authorization(request) => Some(request.recipient.source()),
            Self::Device(_) => None,
        }
    }
}

/// A request that may be put before a person.
#[derive(Clone)]
pub(crate) struct AuthorizationRequest {
    pub(crate) access: Access,
    pub(crate) recipient: Recipient,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: String,
    /// The thumbprint of the key that has to redeem the code (RFC 9449 §10).
    pub(crate) key: Option<String>,
    /// Who is expected to sign in.
    pub(crate) login_hint: Option<String>,
}

/// Where a client waits for its answer: an address it registered.
#[derive(Clone)]
pub(crate) struct Recipient {
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
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

/// What a device asks for.
#[derive(Clone)]
pub(crate) struct DeviceRequest {
    pub(crate) access: Access,
    pub(crate) user_code: String,
}
