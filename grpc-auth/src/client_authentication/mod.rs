//! How this program shows an authorization server who it is.

pub(crate) mod bearer_credential;
pub(crate) mod secret;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::form_urlencoded::{self, Serializer};

use crate::clock::Moment;
use crate::error::ConfigError;
use crate::jose::algorithm::Algorithm;
use crate::jose::signing_key::SigningKey;

pub(crate) use secret::ClientSecret;

/// For how long an assertion is good.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(60);
/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client of an authorization server, and how it authenticates there (RFC 6749 §2.3).
///
/// Cloning it copies pointers. Its `Debug` shows the id and the method, never the secret.
///
/// | constructor | name in RFC 8414 | what is sent |
/// |---|---|---|
/// | [`client_secret_basic`](Self::client_secret_basic) | `client_secret_basic` | `authorization: Basic`, id and secret form-encoded first (RFC 6749 §2.3.1) |
/// | [`client_secret_post`](Self::client_secret_post) | `client_secret_post` | `client_id` and `client_secret` in the form |
/// | [`private_key_jwt`](Self::private_key_jwt) | `private_key_jwt` | an assertion signed by the client's key (RFC 7523) |
/// | [`none`](Self::none) | `none` | `client_id` alone, by programs that can keep no secret |
/// | [`tls_client_auth`](Self::tls_client_auth) | `tls_client_auth` | `client_id`, over a connection with the client's certificate (RFC 8705) |
///
/// ```
/// use grpc_auth::ClientAuthentication;
///
/// let client = ClientAuthentication::client_secret_basic("orders", "s3cret");
/// assert_eq!(format!("{client:?}"), "ClientAuthentication(\"orders\", client_secret_basic)");
/// assert!(ClientAuthentication::private_key_jwt("orders", "no key at all").is_err());
/// ```
#[derive(Clone)]
pub struct ClientAuthentication {
    client_id: Box<str>,
    method: Method,
}

#[derive(Clone)]
enum Method {
    SecretBasic(ClientSecret),
    SecretPost(ClientSecret),
    PrivateKeyJwt(Arc<Assertion>),
    None,
    Tls,
}

#[derive(Clone)]
struct Assertion {
    key: Arc<SigningKey>,
    key_id: Option<Box<str>>,
    /// If it is another than the issuer's identifier.
    audience: Option<Box<str>>,
}

/// What a request to the authorization server carries besides.
pub(crate) struct Credentials {
    authorization: Option<HeaderValue>,
    /// Names and values for the form.
    parameters: Vec<(&'static str, SecretString)>,
}

impl ClientAuthentication {
    /// With a secret, in the `authorization` header.
    pub fn client_secret_basic(
        client_id: impl Into<String>,
        secret: impl Into<ClientSecret>,
    ) -> Self {
        Self::new(client_id, Method::SecretBasic(secret.into()))
    }

    /// With a secret, in the form.
    pub fn client_secret_post(
        client_id: impl Into<String>,
        secret: impl Into<ClientSecret>,
    ) -> Self {
        Self::new(client_id, Method::SecretPost(secret.into()))
    }

    /// Not at all: a program on its user's machine can keep no secret (RFC 8252 §8.5). It logs its
    /// user in, with PKCE or a device code, and gets no tokens of its own.
    pub fn none(client_id: impl Into<String>) -> Self {
        Self::new(client_id, Method::None)
    }

    /// With the certificate of its TLS connection (RFC 8705 §2.1, and §2.2 for certificates that
    /// are registered themselves): the identity that the client is given besides.
    pub fn tls_client_auth(client_id: impl Into<String>) -> Self {
        Self::new(client_id, Method::Tls)
    }

    /// With a private key, as PEM of PKCS#8 (`-----BEGIN PRIVATE KEY-----`): RSA of 2048 bits or
    /// more signs with RS256, P-256 with ES256, P-384 with ES384, Ed25519 with `EdDSA`.
    ///
    /// # Errors
    /// [`ConfigError::TlsMaterial`] when it is no such key; the error holds no part of it.
    pub fn private_key_jwt(
        client_id: impl Into<String>,
        pem: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        let key = Arc::new(SigningKey::from_pem(pem.as_ref())?);
        let assertion = Assertion { key, key_id: None, audience: None };
        Ok(Self::new(client_id, Method::PrivateKeyJwt(Arc::new(assertion))))
    }

    fn new(client_id: impl Into<String>, method: Method) -> Self {
        Self { client_id: client_id.into().into(), method }
    }

    /// Puts this `kid` into assertions. Other methods have none.
    #[must_use]
    pub fn key_id(self, key_id: impl Into<String>) -> Self {
        self.with_assertion(|assertion| assertion.key_id = Some(key_id.into().into()))
    }

    /// Puts this `aud` into assertions, where the server does not take its issuer identifier there
    /// (RFC 7523 §3): often the address of its token endpoint.
    #[must_use]
    pub fn assertion_audience(self, audience: impl Into<String>) -> Self {
        self.with_assertion(|assertion| assertion.audience = Some(audience.into().into()))
    }

    fn with_assertion(mut self, change: impl FnOnce(&mut Assertion)) -> Self {
        if let Method::PrivateKeyJwt(assertion) = &mut self.method {
            change(Arc::make_mut(assertion));
        }
        self
    }

    /// Signs with RS256 or PS256, for keys that can do both. Default RS256.
    ///
    /// # Errors
    /// [`ConfigError::TlsMaterial`] when the key cannot sign so, or there is no key.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Result<Self, ConfigError> {
        let Method::PrivateKeyJwt(assertion) = &mut self.method else {
            return Err(ConfigError::private_key("only `private_key_jwt` signs"));
        };
        let assertion = Arc::make_mut(assertion);
        assertion.key = Arc::new(assertion.key.for_algorithm(algorithm)?);
        Ok(self)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let is_empty = |secret: SecretString| secret.expose_secret().is_empty();
        let missing = if self.client_id.is_empty() {
            "client_id"
        } else if self.secret().is_some_and(is_empty) {
            "client_secret"
        } else {
            return Ok(());
        };
        Err(ConfigError::credentials_missing(missing))
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether nothing shows who it is but its name.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.method, Method::None)
    }

    /// Whether the server sees the client's certificate.
    pub(crate) fn needs_identity(&self) -> bool {
        matches!(self.method, Method::Tls)
    }

    fn client_secret(&self) -> Option<&ClientSecret> {
        match &self.method {
            Method::SecretBasic(secret) | Method::SecretPost(secret) => Some(secret),
            Method::PrivateKeyJwt(_) | Method::None | Method::Tls => None,
        }
    }

    /// The secret that is sent, if there is one.
    pub(crate) fn secret(&self) -> Option<SecretString> {
        self.client_secret().map(ClientSecret::current)
    }

    /// The public part of the private key that signs, if there is one, in base64url.
    pub(crate) fn public_key(&self) -> Option<SecretString> {
        match &self.method {
            Method::PrivateKeyJwt(assertion) => {
                Some(URL_SAFE_NO_PAD.encode(assertion.key.public_key()).into())
            }
            Method::SecretBasic(_) | Method::SecretPost(_) | Method::None | Method::Tls => None,
        }
    }

    /// Whether there is another secret now than the one that was sent.
    pub(crate) fn has_changed(&self, sent: &SecretString) -> bool {
        self.client_secret().is_some_and(|secret| secret.has_changed(sent))
    }

    /// Whether this text shows the secret.
    pub(crate) fn is_shown_in(&self, text: &str) -> bool {
        self.secret().is_some_and(|secret| {
            let secret = secret.expose_secret();
            !secret.is_empty() && text.contains(secret)
        })
    }

    /// What to send to the server of this issuer.
    pub(crate) fn credentials(&self, issuer: &str, now: Moment) -> Result<Credentials, CannotSign> {
        let id = || ("client_id", SecretString::from(&*self.client_id));
        let parameters = match &self.method {
            Method::SecretBasic(secret) => {
                return Ok(Credentials {
                    authorization: Some(basic(&self.client_id, &secret.current())?),
                    parameters: Vec::new(),
                });
            }
            Method::SecretPost(secret) => vec![id(), ("client_secret", secret.current())],
            Method::None | Method::Tls => vec![id()],
            Method::PrivateKeyJwt(assertion) => vec![
                id(),
                ("client_assertion_type", ASSERTION_TYPE.into()),
                ("client_assertion", self.sign(assertion, issuer, now)?.into()),
            ],
        };
        Ok(Credentials { authorization: None, parameters })
    }

    /// RFC 7523 §3.
    fn sign(&self, assertion: &Assertion, issuer: &str, now: Moment) -> Result<String, CannotSign> {
        let mut header = json!({ "typ": "JWT", "alg": assertion.key.algorithm().as_str() });
        if let (Some(key_id), Some(header)) = (&assertion.key_id, header.as_object_mut()) {
            header.insert("kid".into(), (**key_id).into());
        }
        let issued = now.seconds.floor();
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": assertion.audience.as_deref().unwrap_or(issuer),
            "jti": random_id()?,
            "iat": issued,
            "exp": issued + ASSERTION_LIFETIME.as_secs_f64(),
        });
        sign_jwt(&assertion.key, &URL_SAFE_NO_PAD.encode(header.to_string()), &claims)
    }
}

/// The machine has no random numbers, or the key does not sign.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the client's credentials cannot be made")]
pub(crate) struct CannotSign;

/// Signs a JWT with this header, which is encoded already.
pub(crate) fn sign_jwt(
    key: &SigningKey,
    header: &str,
    claims: &Value,
) -> Result<String, CannotSign> {
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = key.sign(signed.as_bytes()).map_err(|_| CannotSign)?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// An identifier that no other JWT has (RFC 7519 §4.1.7).
pub(crate) fn random_id() -> Result<String, CannotSign> {
    let mut id = [0; 16];
    rand::fill(&mut id).map_err(|_| CannotSign)?;
    Ok(URL_SAFE_NO_PAD.encode(id))
}

/// Both are form-encoded first, so that a colon in the id does not end it.
fn basic(client_id: &str, secret: &SecretString) -> Result<HeaderValue, CannotSign> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret.expose_secret()));
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
    let mut value = value.map_err(|_| CannotSign)?;
    value.set_sensitive(true);
    Ok(value)
}

impl Credentials {
    /// The headers.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.authorization.iter().map(|value| (AUTHORIZATION, value.clone())).collect()
    }

    /// The form with these parameters.
    pub(crate) fn form(&self, parameters: &[(&str, &str)]) -> String {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(parameters);
        form.extend_pairs(
            self.parameters.iter().map(|(name, value)| (name, value.expose_secret())),
        );
        form.finish()
    }
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.method {
            Method::SecretBasic(_) => "client_secret_basic",
            Method::SecretPost(_) => "client_secret_post",
            Method::PrivateKeyJwt(_) => "private_key_jwt",
            Method::None => "none",
            Method::Tls => "tls_client_auth",
        };
        write!(f, "ClientAuthentication({:?}, {method})", self.client_id)
    }
}
