//! Configuration that cannot work: reported when it is built, with what to write instead.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Why a resource server, a client or another part of this crate cannot be built.
///
/// Each text names the setting and says what to write. `Debug` says the same, with all causes: it
/// is what a `main` prints that returns the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting, or several together, cannot work.
    #[error("the {of} setting `{setting}` cannot work: {help}")]
    Setting {
        /// What is configured: `key-set`, `client`, `DPoP`, a provider's name, ..
        of: &'static str,
        /// Which of its settings.
        setting: &'static str,
        /// What to write instead.
        help: Cow<'static, str>,
    },
    /// The value of a setting cannot be used.
    #[error("the {setting} {value:?} cannot be used: {help}")]
    Value {
        /// Which setting: `audience`, `issuer`, `server name`, ..
        setting: Cow<'static, str>,
        /// What was configured.
        value: String,
        /// What to write instead.
        help: Cow<'static, str>,
    },
    /// No audience is set: tokens made for other services would be accepted.
    #[error(
        "no audience is set: call `.audience(\"https://api.example.com\")` with the identifier \
         that this service has at the authorization server"
    )]
    AudienceMissing,
    /// No issuer is set: every token would be rejected.
    #[error(
        "no issuer is set: start with `ResourceServer::auth0(..)`, `::oidc(..)` or \
         `::static_keys(..)`, or add one with `.issuer(..)`"
    )]
    IssuerMissing,
    /// The same issuer is configured twice: which of them decides would be a guess.
    #[error("the issuer `{issuer}` is configured twice: keep one of them")]
    IssuerDuplicate {
        /// The issuer.
        issuer: String,
    },
    /// An address is not a URL.
    #[error("the {setting} {value:?} is not a URL: write it like `https://issuer.example.com/`")]
    UrlInvalid {
        /// Which setting.
        setting: &'static str,
        /// What was configured.
        value: String,
        /// Why it is not a URL.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An address of another host would be fetched without TLS.
    #[error(
        "the {setting} `{value}` is not https: an attacker on the way could replace the answer, keys \
         included; write `https://..` (plain http is accepted from loopback addresses alone){}",
        instead_of_plaintext(.setting)
    )]
    UrlInsecure {
        /// Which setting.
        setting: &'static str,
        /// What was configured.
        value: String,
    },
    /// An issuer's document names an address of the machine or the network link that this program
    /// runs on.
    #[error(
        "the {member} `{value}` is a loopback, link-local or unspecified address, and the issuer is \
         not: an issuer's document must not lead this program to services beside it; let the issuer \
         name another address, or configure {help}"
    )]
    UrlLocal {
        /// Which member of the document.
        member: &'static str,
        /// What the document says.
        value: String,
        /// The setting that replaces the member.
        help: &'static str,
    },
    /// TLS was set for an endpoint that would be called in plaintext all the same.
    #[error(
        "TLS is set for `{endpoint}`, whose scheme is not https, and would not be used: write \
         `https://..`"
    )]
    EndpointNotHttps {
        /// The endpoint.
        endpoint: String,
    },
    /// Tokens would be sent to another host in plaintext.
    #[error(
        "the endpoint `{endpoint}` is plaintext: an attacker on the way could read the tokens \
         and use them; write `https://..` (plaintext is accepted to loopback addresses and Unix \
         sockets alone), or wrap the endpoint in `grpc_auth::danger::PlaintextAllowed::new(..)`"
    )]
    EndpointPlaintext {
        /// The endpoint.
        endpoint: String,
    },
    /// A file that a setting names cannot be read.
    #[error("the file `{}` cannot be read: write the path of {expected}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What belongs there.
        expected: &'static str,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// An environment variable is not set, or empty.
    #[error("the environment variable `{name}` is not set: {help}")]
    VariableMissing {
        /// Its name.
        name: &'static str,
        /// What belongs there.
        help: &'static str,
    },
    /// A key set that was given cannot be used.
    #[error(
        "the key set given for the issuer `{issuer}` cannot be used: {source}; write the JSON that \
         the issuer's `jwks_uri` answers with"
    )]
    KeySet {
        /// Whose keys.
        issuer: String,
        /// What is wrong with it: a [`JwksError`](crate::JwksError).
        source: Box<dyn Error + Send + Sync>,
    },
    /// The keys could not be fetched, and `StartupPolicy::Required` asks for them.
    #[error(
        "key set fetch failed: issuer={issuer} {source}; to start without keys, write \
         `.start(StartupPolicy::Warm)`"
    )]
    KeysUnavailable {
        /// Whose keys.
        issuer: String,
        /// What went wrong: a [`KeyFetchError`](crate::KeyFetchError).
        source: Box<dyn Error + Send + Sync>,
    },
    /// A policy cannot be used for the service that it is given for.
    #[error("the policy of the service `{service}` cannot be used: {help}")]
    Policy {
        /// The service.
        service: &'static str,
        /// What is wrong with it, and what to write.
        help: Cow<'static, str>,
    },
    /// A certificate or a key cannot be used. The error repeats nothing of it.
    #[error("{place} cannot be used: {problem}")]
    TlsMaterial {
        /// Where it came from.
        place: String,
        /// What is wrong with it, and what to do.
        problem: &'static str,
    },
    /// The folder of the development CA cannot be used.
    #[error("the folder `{path}` of the development CA cannot be used: {help}")]
    DevelopmentCa {
        /// The folder.
        path: String,
        /// What to do.
        help: &'static str,
        /// What the operating system says, if it refused something.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The program's surroundings do not allow it: no random numbers, no HTTP client, no TLS, a
    /// runtime that shuts down.
    #[error("{what}")]
    Environment {
        /// What is missing or cannot be set up.
        what: &'static str,
        /// Why, if that is known.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// What else a resource server can do about an address that is not https.
fn instead_of_plaintext(setting: &str) -> &'static str {
    match setting {
        "issuer" => {
            "; for an issuer in a network of its own, `Issuer::plaintext` with \
             `danger::PlaintextIssuer`; if it is a name and not an address, `Issuer::jwks_uri` with \
             the address of its keys"
        }
        "jwks_uri" | "introspection endpoint" | "introspection_endpoint" => {
            "; for an issuer in a network of its own, `Issuer::plaintext` with \
             `danger::PlaintextIssuer`"
        }
        _ => "",
    }
}

impl ConfigError {
    /// A setting that cannot work.
    pub(crate) fn setting(
        of: &'static str,
        setting: &'static str,
        help: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Setting { of, setting, help: help.into() }
    }

    /// Accepts a setting that can work; otherwise says what to write.
    pub(crate) fn require(
        works: bool,
        of: &'static str,
        setting: &'static str,
        help: impl Into<Cow<'static, str>>,
    ) -> Result<(), Self> {
        if works { Ok(()) } else { Err(Self::setting(of, setting, help)) }
    }

    /// A value that cannot be used.
    pub(crate) fn value(
        setting: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
        help: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Value { setting: setting.into(), value: value.into(), help: help.into() }
    }

    /// The id or the secret of a client is empty or missing.
    pub(crate) fn credentials_missing(setting: &'static str) -> Self {
        Self::setting(
            "client",
            setting,
            "it is empty: write the one that the authorization server gave this service",
        )
    }

    /// A name of a TLS server is not a host name.
    pub(crate) fn server_name(value: impl Into<String>) -> Self {
        Self::value(
            "server name",
            value,
            "write a host name or an IP address as in the server's certificate, without scheme and \
             port",
        )
    }

    /// The operating system has no random numbers.
    pub(crate) fn no_random_numbers() -> Self {
        Self::Environment { what: "the operating system has no random numbers", source: None }
    }

    /// TLS cannot be set up.
    pub(crate) fn tls(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Environment { what: "TLS cannot be set up", source: Some(source.into()) }
    }

    /// The private key of a client cannot be used.
    pub(crate) fn private_key(problem: &'static str) -> Self {
        Self::TlsMaterial { place: "the client's private key".into(), problem }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_string();
        f.write_str(&text)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            let of_cause = error.to_string();
            if !text.contains(&of_cause) {
                write!(f, "\n  caused by: {of_cause}")?;
            }
            cause = error.source();
        }
        Ok(())
    }
}
