//! The configured values beside those that a rejected token has, for the log.

use super::claims::TokenClaims;
use super::error::{VerifyErrorKind, VerifyFailure};
use crate::issuer::Issuer;
use crate::sanitize_untrusted::escape;

impl VerifyFailure {
    /// Adds the configured values that the token does not match, and the token's audience.
    pub(crate) fn with_configured(
        mut self,
        claims: &TokenClaims<'_, '_>,
        settings: &Issuer,
        audiences: &[String],
    ) -> Self {
        let configured = match &self.rejection {
            VerifyErrorKind::Audience => {
                let said: Vec<_> = claims.aud.iter().take(MAX_SHOWN).map(|aud| &**aud).collect();
                self.audience = (!said.is_empty()).then(|| escape(&said.join(", ")).into());
                Some(list(audiences))
            }
            VerifyErrorKind::Issuer => Some(list([&settings.identifier])),
            VerifyErrorKind::TokenType => Some(list(&settings.token_types)),
            VerifyErrorKind::AlgorithmNotAllowed => {
                Some(list(settings.algorithms.iter().map(|algorithm| algorithm.as_str())))
            }
            _ => None,
        };
        self.configured = configured.map(Into::into);
        self
    }
}

/// Longer lists are cut.
const MAX_SHOWN: usize = 8;

/// Values of a setting, as a list.
pub(super) fn list(values: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut values = values.into_iter();
    let shown = values.by_ref().take(MAX_SHOWN).map(|value| format!("{:?}", value.as_ref()));
    let shown = shown.collect::<Vec<_>>().join(", ");
    if values.next().is_some() { format!("{shown}, ..") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(rejection: VerifyErrorKind, claims: &str, audiences: &[&str]) -> VerifyFailure {
        let claims = TokenClaims::parse(claims.as_bytes(), &[]).unwrap();
        let issuer = Issuer::discover("https://as.example/").accept_token_type("");
        let audiences: Vec<_> = audiences.iter().map(|text| (*text).to_owned()).collect();
        VerifyFailure::from(rejection).with_configured(&claims, &issuer, &audiences)
    }

    #[test]
    fn what_is_configured_is_said_beside_what_is_rejected() {
        for (rejection, configured) in [
            (VerifyErrorKind::Audience, ": configured is \"api\", \"a\\nb\""),
            (VerifyErrorKind::Issuer, ": configured is \"https://as.example/\""),
            (VerifyErrorKind::TokenType, ": configured is \"at+jwt\", \"\""),
            (VerifyErrorKind::Signature, "the signature is not the issuer's"),
        ] {
            let cause = failure(rejection, "{}", &["api", "a\nb"]).cause();
            assert!(cause.ends_with(configured), "{cause}");
        }
        let many = failure(VerifyErrorKind::Audience, "{}", &["a"; 9]).cause();
        assert!(many.ends_with("\"a\", .."), "{many}");
    }

    #[test]
    fn the_audience_of_a_token_is_escaped_and_bounded() {
        let audience = |claims: &str| failure(VerifyErrorKind::Audience, claims, &["api"]).audience;
        assert_eq!(audience(r#"{"aud":["x\n","y"]}"#).as_deref(), Some("x\\n, y"));
        assert_eq!(audience(r#"{"aud":[]}"#), None);
        let long = audience(&format!(r#"{{"aud":"{}"}}"#, "a".repeat(5000)));
        assert_eq!(long.unwrap().len(), 256);
        assert_eq!(failure(VerifyErrorKind::Expired, r#"{"aud":"x"}"#, &["api"]).audience, None);
    }
}
