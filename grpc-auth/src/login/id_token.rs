//! Who logged in: the identity token (OpenID Connect Core §2).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use constant_time_eq::constant_time_eq;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeSeed;
use serde::{Deserialize, Deserializer};

use super::error::LoginError;
use crate::jose::compact::unverified_claims;
use crate::json;
use crate::json::text::Texts;

const LEEWAY: Duration = Duration::from_secs(30);
const MAX_BYTES: usize = 64 * 1024;
/// OpenID Connect Core §2.
const MAX_SUBJECT_BYTES: usize = 255;

/// What it has to say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    /// None where the request could carry none (RFC 8628).
    pub(crate) nonce: Option<&'a SecretString>,
    pub(crate) now: SystemTime,
}

/// What it says.
#[derive(Clone)]
pub(crate) struct IdToken {
    pub(crate) subject: String,
    /// All of its claims, as JSON.
    pub(crate) claims: Arc<Zeroizing<Vec<u8>>>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(deserialize_with = "one_or_several")]
    aud: Vec<String>,
    azp: Option<String>,
    exp: f64,
    nonce: Option<String>,
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts = Texts.deserialize(deserializer)?;
    Ok(texts.into_iter().map(Cow::into_owned).collect())
}

/// Reads and checks it. Its signature is not checked: it came from the token endpoint itself, over
/// TLS, and that takes the signature's place (OpenID Connect Core §3.1.3.7, 6). It is used for
/// nothing but to say who logged in.
pub(crate) fn check(token: &SecretString, expected: &Expected<'_>) -> Result<IdToken, LoginError> {
    let problem = |problem: &'static str| LoginError::IdToken { problem: problem.into() };
    let token = token.expose_secret().as_bytes();
    let payload = Some(token).filter(|token| token.len() <= MAX_BYTES).and_then(unverified_claims);
    let payload = Zeroizing::new(payload.ok_or_else(|| problem("it is no signed JWT"))?);
    let claims: Claims = json::read(&payload)
        .map_err(|error| LoginError::IdToken { problem: error.to_string().into() })?;

    if claims.iss != expected.issuer {
        return Err(problem("its `iss` is another issuer than the one that was asked"));
    }
    let is_shared = claims.aud.len() > 1;
    if !claims.aud.iter().any(|one| one == expected.client_id) {
        return Err(problem("its `aud` does not name this client"));
    }
    match &claims.azp {
        Some(party) if party != expected.client_id => {
            return Err(problem("its `azp` is another client"));
        }
        None if is_shared => return Err(problem("it is for several clients, and has no `azp`")),
        _ => {}
    }
    let now = expected.now.duration_since(UNIX_EPOCH).unwrap_or_default();
    // JSON has no NaN.
    if claims.exp <= now.saturating_sub(LEEWAY).as_secs_f64() {
        return Err(problem("it has expired: check the clock of this machine"));
    }
    if let Some(nonce) = expected.nonce {
        let found = claims.nonce.ok_or_else(|| problem("it has no `nonce`"))?;
        if !constant_time_eq(found.as_bytes(), nonce.expose_secret().as_bytes()) {
            return Err(problem("its `nonce` is not the one of this login: it answers another"));
        }
    }
    if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT_BYTES {
        return Err(problem("its `sub` is empty, or longer than 255 bytes"));
    }
    Ok(IdToken { subject: claims.sub, claims: Arc::new(payload) })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn verdict(change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": "https://issuer.example/", "sub": "alice", "aud": "cli",
            "exp": NOW + 60, "nonce": "n-1",
        });
        change(&mut claims);
        check_text(&format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())))
    }

    fn check_text(token: &str) -> String {
        let expected = Expected {
            issuer: "https://issuer.example/",
            client_id: "cli",
            nonce: Some(&"n-1".into()),
            now: UNIX_EPOCH + Duration::from_secs(NOW),
        };
        match check(&token.into(), &expected) {
            Ok(id_token) => {
                assert_eq!(id_token.subject, "alice");
                "accepted".into()
            }
            Err(LoginError::IdToken { problem }) => problem.into_owned(),
            Err(other) => panic!("{other}"),
        }
    }

    fn set(name: &str, value: impl Into<Value>) -> String {
        let value = value.into();
        verdict(|claims| claims[name] = value)
    }

    #[test]
    fn an_identity_token_of_this_login_is_believed() {
        assert_eq!(verdict(|_| {}), "accepted");
        assert_eq!(set("aud", vec!["cli"]), "accepted");
        assert_eq!(set("azp", "cli"), "accepted");
        assert_eq!(set("exp", NOW - 29), "accepted");
        let several = verdict(|claims| {
            claims["aud"] = json!(["cli", "api"]);
            claims["azp"] = json!("cli");
        });
        assert_eq!(several, "accepted");
    }

    #[test]
    fn each_other_is_refused_by_its_reason() {
        for (name, value, reason) in [
            ("iss", json!("https://issuer.example"), "its `iss` is another"),
            ("iss", json!(1), "`iss` is a number, expected a string"),
            ("aud", json!("api"), "its `aud` does not name"),
            ("aud", json!([]), "its `aud` does not name"),
            ("aud", json!({}), "`aud` is an object, expected a string or an array of strings"),
            ("aud", json!(["cli", "api"]), "it is for several clients"),
            ("azp", json!("api"), "its `azp` is another"),
            ("exp", json!(NOW - 30), "it has expired"),
            ("exp", json!("soon"), "`exp` is a string, expected a number"),
            ("nonce", json!("n-2"), "its `nonce` is not"),
            ("nonce", Value::Null, "it has no `nonce`"),
            ("sub", json!(""), "its `sub` is empty"),
            ("sub", json!("x".repeat(256)), "its `sub` is empty"),
            ("sub", Value::Null, "`sub` is null, expected a string"),
        ] {
            let found = set(name, value.clone());
            assert!(found.starts_with(reason), "{name} {value}: {found}");
        }
    }

    #[test]
    fn what_is_no_jwt_is_refused() {
        let twice = URL_SAFE_NO_PAD.encode(r#"{"iss":"a","iss":"b"}"#);
        for token in ["", "a.b", "a.b.c.d", "e30.!.c", "e30.e30=.c"] {
            assert_eq!(check_text(token), "it is no signed JWT", "{token}");
        }
        for (token, problem) in [
            ("e30.e30.c", "`iss` is missing"),
            (&format!("e30.{twice}.c"), "the member `iss` occurs twice"),
            ("e30.W10.c", "it is an array, expected an object"),
        ] {
            assert_eq!(check_text(token), problem, "{token}");
        }
    }
}
