//! oidc-provider: an OpenID-certified authorization server in JavaScript.

use std::process::Command;

use grpc_auth::client::OAuthClient;
use grpc_auth::server::ResourceServerBuilder;
use grpc_auth::{ClientAuthentication, ResourceServer};
use reqwest::Client;
use serde_json::{Value, json};

use super::fault::{Control, Fault};
use super::person::Person;
use super::pki::{Identity, Pki};
use super::{
    AUDIENCE, CLIENT, Credentials, Part, RESOURCE_SERVER, access_token, answer_to, node, post,
};

/// All that RFC 6749 allows in a secret (appendix A.2), as far as encodings disagree about it. This
/// server refuses to register letters beyond ASCII; Django takes them.
pub(crate) const ODD_SECRET: &str = r##"a+b /c:%41&=?#"\~"##;

/// A running oidc-provider.
///
/// | resource | tokens |
/// |---|---|
/// | `urn:kit:words:{rs256,ps256,es256,es384,eddsa}` | signed, for the audience `urn:kit:words`, an hour |
/// | `urn:kit:other` | signed, for the audience `urn:kit:other` |
/// | `urn:kit:words:opaque` | opaque, for `urn:kit:words`, 300 s; with `:short` 2 s |
/// | `urn:kit:other:opaque` | opaque, for `urn:kit:other` |
///
/// | client | |
/// |---|---|
/// | `svc`, `svc-post` | show a secret, `CLIENT-secret`, by basic and in the form |
/// | `svc:odd %`, `svc-post:odd %` | show [`ODD_SECRET`] |
/// | `svc-dpop`, `svc-nonce` | get tokens bound to a key (basic), with a nonce of the server's |
/// | `svc-jwt` | shows an assertion ([`with_client_keys`](Self::with_client_keys)) |
/// | `svc-tls`, `svc-bound` | show a certificate ([`with_tls`](Self::with_tls)); tokens are bound to it |
/// | `svc-exchange` | exchanges tokens (basic) |
/// | `cli`, `web` | log people in: without a secret, and with one |
/// | `rs`, `rs-post`, `rs-jwt`, `rs:odd %` (`a+b /c:%`) | ask about tokens |
///
/// People log in by any name and password.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    part: Part,
    http: Client,
    pub(crate) control: Control,
}

/// What happens to the old keys when new ones come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rotation {
    /// They stay published.
    Add,
    /// They are gone.
    Replace,
}

impl OidcProvider {
    /// Starts on a free port with fresh keys.
    pub(crate) async fn start() -> Self {
        Self::launch(node("oidc_provider.mjs")).await
    }

    /// Starts with two more clients, which authenticate by private_key_jwt with a key of this set.
    pub(crate) async fn with_client_keys(jwks: &Value) -> Self {
        let mut command = node("oidc_provider.mjs");
        command.env("CLIENT_JWKS", jwks.to_string());
        Self::launch(command).await
    }

    /// Starts with another port, over TLS, which the metadata names for clients with certificates.
    pub(crate) async fn with_tls(pki: &Pki) -> Self {
        let Identity { certificate, key } = &pki.server;
        let mut command = node("oidc_provider.mjs");
        let tls = json!({"ca": pki.authority, "cert": certificate, "key": key});
        command.env("TLS", tls.to_string());
        Self::launch(command).await
    }

    async fn launch(command: Command) -> Self {
        let part = Part::start("oidc-provider", command, "READY").await;
        let control = Control::of(part.said());
        Self { part, http: Client::new(), control }
    }

    /// One of its clients, as our side knows it.
    pub(crate) fn client(&self, authentication: ClientAuthentication) -> OAuthClient {
        OAuthClient::oidc(self.issuer(), authentication)
    }

    /// Its identifier, and the base of its endpoints.
    pub(crate) fn issuer(&self) -> &str {
        self.part.said()
    }

    /// The configuration of a resource server that trusts it.
    pub(crate) fn resource_server(&self) -> ResourceServerBuilder {
        ResourceServer::oidc(self.issuer()).audience(AUDIENCE)
    }

    /// Gets a token by the client credentials grant (RFC 6749 §4.4) for a resource (RFC 8707).
    pub(crate) async fn token(
        &self,
        client: Credentials<'_>,
        scope: &str,
        resource: &str,
    ) -> String {
        let grant = ("grant_type", "client_credentials");
        let form = [grant, ("scope", scope), ("resource", resource)];
        access_token(&post(&self.http, &self.token_endpoint(), client, &form).await)
    }

    /// Gets a token for `svc-dpop` that is bound to the key of this proof (RFC 9449 §5).
    pub(crate) async fn bound_token(&self, proof: &str, scope: &str, resource: &str) -> String {
        let grant = ("grant_type", "client_credentials");
        let form = [grant, ("scope", scope), ("resource", resource)];
        let url = self.token_endpoint();
        let request = self.http.post(&url).basic_auth("svc-dpop", Some("svc-dpop-secret"));
        access_token(&answer_to(request.header("dpop", proof).form(&form), &url).await)
    }

    /// A refresh token of `alice` for the client `web`, who typed in a device code (RFC 8628).
    pub(crate) async fn refresh_token(&self, scope: &str, resource: &str) -> String {
        let client = ("web", "web-secret");
        let scope = format!("openid offline_access {scope}");
        let form = [("scope", &*scope), ("resource", resource)];
        let device = post(&self.http, &self.url("/device/auth"), client, &form).await;
        let text = |name: &str| device[name].as_str().unwrap();
        Person::new().allow(text("verification_uri_complete")).await;
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        let form = [grant, ("device_code", text("device_code"))];
        let answer = post(&self.http, &self.token_endpoint(), client, &form).await;
        answer["refresh_token"].as_str().unwrap().into()
    }

    /// Revokes a token of the client `svc` (RFC 7009); signed ones cannot be.
    pub(crate) async fn revoke(&self, token: &str) {
        post(&self.http, &self.url("/token/revocation"), CLIENT, &[("token", token)]).await;
    }

    /// Asks about a token as the resource server `rs` (RFC 7662).
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        post(&self.http, &self.introspection(), RESOURCE_SERVER, &[("token", token)]).await
    }

    /// The token endpoint, which proofs name.
    pub(crate) fn token_endpoint(&self) -> String {
        self.url("/token")
    }

    /// The introspection endpoint.
    pub(crate) fn introspection(&self) -> String {
        self.url("/token/introspection")
    }

    /// Makes an endpoint misbehave: `jwks`, `introspection`, `revocation`, `token` or
    /// `discovery`. One at a time.
    pub(crate) async fn fault(&self, endpoint: &str, fault: Fault) {
        self.control.fault(endpoint, fault).await;
    }

    /// Ends the fault.
    pub(crate) async fn heal(&self) {
        self.control.heal().await;
    }

    /// Signs with new keys from now on; gives the ids of all that are published.
    pub(crate) async fn rotate(&self, rotation: Rotation) -> Vec<String> {
        let mode = match rotation {
            Rotation::Add => "add",
            Rotation::Replace => "replace",
        };
        let path = format!("/_test/rotate?mode={mode}");
        let published = self.control.post(&path, &json!({})).await;
        serde_json::from_value(published).unwrap()
    }

    /// How many requests an endpoint has had: those of [`fault`](Self::fault), or `elsewhere`.
    pub(crate) async fn requests(&self, endpoint: &str) -> u64 {
        self.control.requests(endpoint).await
    }

    /// The headers of the last request to an endpoint.
    pub(crate) async fn last_request(&self, endpoint: &str) -> Value {
        self.control.post("/_test/state", &json!({})).await["last"][endpoint].clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }
}
