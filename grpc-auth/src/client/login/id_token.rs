//! Who logged in: the identity token (OpenID Connect Core §2).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use constant_time_eq::constant_time_eq;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::LoginError;
use crate::json;

const LEEWAY: Duration = Duration::from_secs(30);
const MAX_BYTES: usize = 64 * 1024;
/// OpenID Connect Core §2.
const MAX_SUBJECT_BYTES: usize = 255;

/// What it has to say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    /// None where the request could carry none (RFC 8628).
    pub(super) nonce: Option<&'a SecretString>,
    pub(super) now: SystemTime,
}

/// What it says.
#[derive(Clone)]
pub(super) struct IdToken {
    pub(super) subject: String,
    pub(super) claims: serde_json::Value,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Reads and checks it. Its signature is not checked: it came from the token endpoint itself, over
/// TLS, and that takes the signature's place (OpenID Connect Core §3.1.3.7, 6). It is used for
/// nothing but to say who logged in.
pub(super) fn check(token: &SecretString, expected: &Expected<'_>) -> Result<IdToken, LoginError> {
    let problem = |problem| LoginError::IdToken { problem };
    let payload = payload(token.expose_secret()).ok_or_else(|| problem("it is no signed JWT"))?;
    let is_object = payload.trim_ascii_start().starts_with(b"{") && !json::is_ambiguous(&payload);
    let claims = is_object.then(|| serde_json::from_slice::<Claims>(&payload).ok()).flatten();
    let claims = claims
        .ok_or_else(|| problem("one of `iss`, `sub`, `aud`, `exp` is missing, or no such value"))?;

    if claims.iss != expected.issuer {
        return Err(problem("its `iss` is another issuer than the one that was asked"));
    }
    let (is_ours, is_shared) = match &claims.aud {
        Audience::One(one) => (one == expected.client_id, false),
        Audience::Several(all) => (all.iter().any(|one| one == expected.client_id), all.len() > 1),
    };
    if !is_ours {
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
    let document = serde_json::from_slice(&payload).map_err(|_| problem("it is no JSON"))?;
    Ok(IdToken { subject: claims.sub, claims: document })
}

fn payload(token: &str) -> Option<Zeroizing<Vec<u8>>> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then(|| URL_SAFE_NO_PAD.decode(payload).ok()).flatten().map(Into::into)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn verdict(change: impl FnOnce(&mut Value)) -> &'static str {
        let mut claims = json!({
            "iss": "https://issuer.example/", "sub": "alice", "aud": "cli",
            "exp": NOW + 60, "nonce": "n-1",
        });
        change(&mut claims);
        check_text(&format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())))
    }

    fn check_text(token: &str) -> &'static str {
        let expected = Expected {
            issuer: "https://issuer.example/",
            client_id: "cli",
            nonce: Some(&"n-1".into()),
            now: UNIX_EPOCH + Duration::from_secs(NOW),
        };
        match check(&token.into(), &expected) {
            Ok(id_token) => {
                assert_eq!(id_token.subject, "alice");
                "believed"
            }
            Err(LoginError::IdToken { problem }) => problem,
            Err(other) => panic!("{other}"),
        }
    }

    fn set(name: &str, value: impl Into<Value>) -> &'static str {
        let value = value.into();
        verdict(|claims| claims[name] = value)
    }

    #[test]
    fn an_identity_token_of_this_login_is_believed() {
        assert_eq!(verdict(|_| {}), "believed");
        assert_eq!(set("aud", vec!["cli"]), "believed");
        assert_eq!(set("azp", "cli"), "believed");
        assert_eq!(set("exp", NOW - 29), "believed");
        let several = verdict(|claims| {
            claims["aud"] = json!(["cli", "api"]);
            claims["azp"] = json!("cli");
        });
        assert_eq!(several, "believed");
    }

    #[test]
    fn each_other_is_refused_by_its_reason() {
        let malformed = "one of `iss`, `sub`, `aud`, `exp` is missing, or no such value";
        for (name, value, reason) in [
            ("iss", json!("https://issuer.example"), "its `iss` is another"),
            ("iss", json!(1), malformed),
            ("aud", json!("api"), "its `aud` does not name"),
            ("aud", json!([]), "its `aud` does not name"),
            ("aud", json!({}), malformed),
            ("aud", json!(["cli", "api"]), "it is for several clients"),
            ("azp", json!("api"), "its `azp` is another"),
            ("exp", json!(NOW - 30), "it has expired"),
            ("exp", json!("soon"), malformed),
            ("nonce", json!("n-2"), "its `nonce` is not"),
            ("nonce", Value::Null, "it has no `nonce`"),
            ("sub", json!(""), "its `sub` is empty"),
            ("sub", json!("x".repeat(256)), "its `sub` is empty"),
            ("sub", Value::Null, malformed),
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
        for token in ["e30.e30.c", &format!("e30.{twice}.c"), "e30.W10.c"] {
            assert!(check_text(token).starts_with("one of"), "{token}");
        }
    }
}
