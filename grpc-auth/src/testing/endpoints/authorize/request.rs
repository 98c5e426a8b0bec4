//! What a client asks of people, and what it may ask.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::form_urlencoded;

use super::answer::send_to;
use crate::lock::locked;
use crate::testing::data::purpose::{AuthorizationRequest, Recipient};
use crate::testing::data::registration::ClientRegistration;
use crate::testing::data::registry::GrantType;
use crate::testing::data::state::State;
use crate::testing::endpoints::oauth_error::OAuthError;
use crate::testing::endpoints::parameters::Parameters;
use crate::testing::pages;

/// Who gets the refusal of a request.
pub(crate) enum Refusal {
    /// The person: who asks is not known, so that no browser is sent anywhere (RFC 6749 §4.1.2.1).
    Person(&'static str),
    /// The client.
    Client(Recipient, OAuthError),
}

impl Refusal {
    pub(crate) fn into_response(self, state: &State) -> Response {
        match self {
            Self::Person(problem) => pages::problem(problem),
            Self::Client(recipient, error) => send_to(&recipient.error(&state.url, &error)),
        }
    }
}

/// Reads the query of a request.
pub(crate) fn read(state: &State, query: &str) -> Result<AuthorizationRequest, Refusal> {
    let only = |name: &str| {
        let mut values = form_urlencoded::parse(query.as_bytes())
            .filter(|(own, value)| own == name && !value.is_empty())
            .map(|(_, value)| value.into_owned());
        values.next().filter(|_| values.next().is_none())
    };
    let unknown = "The application that sent you here is not registered. You were not signed in.";
    let client_id = only("client_id").ok_or(Refusal::Person(unknown))?;
    let client = locked(&state.clients).get(&client_id).cloned();
    let client = client.ok_or(Refusal::Person(unknown))?;
    let redirect_uri = only("redirect_uri").filter(|uri| client.has_redirect_uri(uri));
    let redirect_uri = redirect_uri.ok_or(Refusal::Person(
        "The application wants you to be sent to an address that it has not registered. You \
         were not signed in, and you are not sent there.",
    ))?;
    let recipient = Recipient { redirect_uri, state: only("state") };
    // The first word on duplicates is had above, where it matters whom to tell.
    Parameters::of_form(query.as_bytes())
        .and_then(|parameters| checked(&client, recipient.clone(), &parameters))
        .map_err(|error| Refusal::Client(recipient, error))
}

fn checked(
    client: &ClientRegistration,
    recipient: Recipient,
    parameters: &Parameters,
) -> Result<AuthorizationRequest, OAuthError> {
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        if parameters.get(name).is_some() {
            return Err(OAuthError::bad(error, format!("`{name}` is not supported")));
        }
    }
    if parameters.required("response_type")? != "code" {
        let why = "use `response_type=code`";
        return Err(OAuthError::bad("unsupported_response_type", why));
    }
    if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(OAuthError::request("use `response_mode=query`"));
    }
    if !client.may(GrantType::AuthorizationCode) {
        let why = "the client may not use `authorization_code`";
        return Err(OAuthError::bad("unauthorized_client", why));
    }
    let challenge = challenge(parameters)?;
    let key = parameters.get("dpop_jkt").map(str::to_owned);
    if key.as_deref().is_some_and(|key| !is_sha256(key)) {
        return Err(OAuthError::request("`dpop_jkt` is no SHA-256 thumbprint in base64url"));
    }
    let request = AuthorizationRequest {
        access: parameters.access(client)?,
        recipient,
        nonce: parameters.get("nonce").map(Into::into),
        challenge,
        key,
        login_hint: parameters.get("login_hint").map(Into::into),
    };
    check_prompt(parameters)?;
    Ok(request)
}

/// S256 and nothing else (RFC 7636 §4.3): without a method it would be `plain`.
fn challenge(parameters: &Parameters) -> Result<String, OAuthError> {
    let challenge = parameters.required("code_challenge")?;
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err(OAuthError::request("use `code_challenge_method=S256`"));
    }
    if !is_sha256(challenge) {
        return Err(OAuthError::request("`code_challenge` is no SHA-256 hash in base64url"));
    }
    Ok(challenge.into())
}

fn is_sha256(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|hash| hash.len() == 32)
}

/// Everyone signs in and consents each time, so that there is nothing that could be done without
/// (OpenID Connect Core §3.1.2.1).
fn check_prompt(parameters: &Parameters) -> Result<(), OAuthError> {
    let prompt = parameters.get("prompt").unwrap_or_default();
    let mut words = prompt.split_ascii_whitespace();
    if !words.clone().all(|word| matches!(word, "none" | "login" | "consent" | "select_account")) {
        return Err(OAuthError::request("`prompt` is not one of those supported"));
    }
    match (words.clone().count(), words.any(|word| word == "none")) {
        (_, false) => Ok(()),
        (1, true) => Err(OAuthError::bad("login_required", "no user is signed in")),
        _ => Err(OAuthError::request("`prompt=none` stands alone")),
    }
}
