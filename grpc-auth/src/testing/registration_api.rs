//! Registering clients and users, and deciding for people who have no browser in a test.

use serde_json::{Map, Value};

use super::data::purpose::AuthorizationRequest;
use super::data::registration::ClientRegistration;
use super::data::registry::User;
use super::endpoints::authorize::request::Refusal;
use super::endpoints::{authorize, device};
use crate::lock::locked;
use crate::testing::data::state::State;
use crate::testing::server::TestAuthorizationServer;

impl TestAuthorizationServer {
    /// Registers a client with a secret, for every grant, that may be granted these scopes. One of
    /// the same id is replaced: a new secret takes effect at once.
    pub fn add_client<S: Into<String>>(
        &self,
        id: impl Into<String>,
        secret: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) {
        self.insert(ClientRegistration::confidential(id, secret).scopes(scopes));
    }

    /// Registers a client that authenticates by assertions (`private_key_jwt`, RFC 7523), signed
    /// with a key of this key set.
    pub fn add_client_with_keys<S: Into<String>>(
        &self,
        id: impl Into<String>,
        jwks: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) {
        self.insert(ClientRegistration::with_keys(id, jwks).scopes(scopes));
    }

    /// Registers a client, or replaces the one of the same id.
    ///
    /// # Panics
    /// When it cannot work, for want of an id or with an address that people may not be sent to.
    #[expect(clippy::panic, reason = "a mistake in a test")]
    pub fn register(&self, registration: ClientRegistration) {
        if let Err((field, problem)) = registration.check() {
            panic!("the client `{}` cannot be registered: `{field}`: {problem}", registration.id);
        }
        self.insert(registration);
    }

    fn insert(&self, registration: ClientRegistration) {
        locked(&self.state.clients).insert(registration.id.clone(), registration);
    }

    /// Forgets a client: it is unknown from now on. What it was granted before lives on.
    pub fn remove_client(&self, id: &str) {
        locked(&self.state.clients).remove(id);
    }

    /// Registers a user who can sign in, or changes the password.
    pub fn add_user(&self, name: impl Into<String>, password: &str) {
        locked(&self.state.users).0.insert(name.into(), User::new(password, Map::new()));
    }

    /// Registers a user whose tokens have these claims besides.
    ///
    /// # Panics
    /// When the claims are no object, or one of them is the server's own to make, like `sub`.
    #[expect(clippy::panic, reason = "a mistake in a test")]
    pub fn add_user_with_claims(&self, name: impl Into<String>, password: &str, claims: Value) {
        let Value::Object(claims) = claims else { panic!("a user's claims are an object") };
        if let Some(claim) = User::reserved(&claims) {
            panic!("the claim `{claim}` is the server's own to make");
        }
        locked(&self.state.users).0.insert(name.into(), User::new(password, claims));
    }

    /// Says what a scope means, on the page where people consent.
    pub fn describe_scope(&self, scope: impl Into<String>, text: impl Into<String>) {
        locked(&self.state.scope_texts).insert(scope.into(), text.into());
    }

    /// Does what a person does who opens the address of an authorization request in a browser,
    /// signs in as this user, who need not be registered, and consents: the address that the
    /// browser is sent to then, with a code, or with an error if the request is refused.
    ///
    /// # Panics
    /// When the person would be sent nowhere: who asks, or the address for the answer, is unknown.
    #[must_use]
    pub fn approve_authorization(&self, address: &str, user: &str) -> String {
        decide(&self.state, address, |request| authorize::allow(&self.state, request, user))
    }

    /// Does what a person does who does not consent: the address that the browser is sent to, with
    /// `access_denied`.
    ///
    /// # Panics
    /// As [`approve_authorization`](Self::approve_authorization).
    #[must_use]
    pub fn deny_authorization(&self, address: &str) -> String {
        decide(&self.state, address, |request| authorize::deny(&self.state, request))
    }

    /// Lets the device that shows this code have its tokens, as this user.
    ///
    /// A device that asks sooner than five seconds after it asked last gets `slow_down`, by the
    /// server's clock.
    ///
    /// # Panics
    /// When no device waits for this code.
    pub fn approve_device(&self, user_code: &str, user: &str) {
        assert!(device::allow(&self.state, user_code, user), "no device waits for `{user_code}`");
    }

    /// Refuses the device that shows this code.
    ///
    /// # Panics
    /// When no device waits for this code.
    pub fn deny_device(&self, user_code: &str) {
        assert!(device::deny(&self.state, user_code), "no device waits for `{user_code}`");
    }
}

#[expect(clippy::panic, reason = "a mistake in a test")]
fn decide(
    state: &State,
    address: &str,
    answer: impl FnOnce(&AuthorizationRequest) -> String,
) -> String {
    let query = address.split_once('?').map(|(_, query)| query).unwrap_or_default();
    match authorize::read(state, query) {
        Ok(request) => answer(&request),
        Err(Refusal::Client(recipient, error)) => recipient.error(&state.url, &error),
        Err(Refusal::Person(problem)) => panic!("no browser would be sent anywhere: {problem}"),
    }
}
