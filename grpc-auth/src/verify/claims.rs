//! The registered claims (RFC 7519 §4.1) and what they must say.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::error::VerifyErrorKind;
use crate::issuer::IntendedFor;
use crate::jose::error::JoseError;
use crate::json::node::Node;
use crate::json::text::{Text, Texts};
use crate::json::{Members, read_object};
use crate::token::confirmation::Confirmation;

const AUDIENCES: &str = "a string or an array of strings";

/// The claims that decide, and those that a setting asks for; others are the user's
/// business.
#[derive(Debug, Default)]
pub(crate) struct TokenClaims<'t, 'n> {
    pub(crate) iss: Option<Cow<'t, str>>,
    pub(super) sub: Option<Cow<'t, str>>,
    pub(crate) aud: Vec<Cow<'t, str>>,
    pub(crate) exp: Option<f64>,
    nbf: Option<f64>,
    pub(super) iat: Option<f64>,
    cnf: Option<Node<'t>>,
    pub(super) client_id: Option<Cow<'t, str>>,
    pub(super) azp: Option<Cow<'t, str>>,
    /// Okta's name for the client, or that of Entra's version 1.0.
    cid_or_appid: Option<Cow<'t, str>>,
    /// The names of the claims to keep.
    wanted: &'n [String],
    kept: Vec<(usize, Node<'t>)>,
}

impl<'t> Members<'t> for TokenClaims<'t, '_> {
    fn take<A: MapAccess<'t>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let place = self.wanted.iter().position(|wanted| wanted == name);
        let mut text = |slot: &mut Option<Cow<'t, str>>| {
            let Text(text) = map.next_value()?;
            let node = place.map(|place| (place, Node::Text(text.clone())));
            *slot = Some(text);
            Ok(node)
        };
        let kept = match name {
            "iss" => text(&mut self.iss)?,
            "sub" => text(&mut self.sub)?,
            // Not registered for every JWT: what is no text is some custom claim.
            "client_id" | "azp" | "cid" | "appid" => {
                let node: Node<'t> = map.next_value()?;
                let text = if let Node::Text(text) = &node { Some(text.clone()) } else { None };
                match name {
                    "client_id" => self.client_id = text,
                    "azp" => self.azp = text,
                    _ => self.cid_or_appid = text,
                }
                place.map(|place| (place, node))
            }
            "aud" => {
                self.aud = map.next_value_seed(Texts)?;
                let node = |text: &Cow<'t, str>| Node::Text(text.clone());
                place.map(|place| (place, Node::List(self.aud.iter().map(node).collect())))
            }
            // NumericDate: a JSON number, fractions allowed. A string is invalid.
            "exp" | "nbf" | "iat" => {
                let time = Some(map.next_value()?);
                match name {
                    "exp" => self.exp = time,
                    "nbf" => self.nbf = time,
                    _ => self.iat = time,
                }
                None
            }
            "cnf" => {
                let node: Node<'t> = map.next_value()?;
                self.cnf = Some(node.clone());
                place.map(|place| (place, node))
            }
            _ => match place {
                Some(place) => Some((place, map.next_value()?)),
                None => return Ok(false),
            },
        };
        self.kept.extend(kept);
        Ok(true)
    }
}

impl<'t, 'n> TokenClaims<'t, 'n> {
    /// Nothing yet; those with the wanted names will be kept.
    pub(crate) fn new(wanted: &'n [String]) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Reads claims and keeps those with the wanted names.
    pub(super) fn parse(json: &'t [u8], wanted: &'n [String]) -> Result<Self, VerifyErrorKind> {
        let mut claims = Self::new(wanted);
        read_object(json, &mut claims)
            .map_err(|error| JoseError::Json { part: "its payload", error })?;
        Ok(claims)
    }

    /// Takes a claim whose value was read before; ignores other names.
    ///
    /// # Errors
    /// The value, and what is expected in its place.
    pub(crate) fn put(
        &mut self,
        name: &str,
        node: Node<'t>,
    ) -> Result<(), (Node<'t>, &'static str)> {
        if let Some(place) = self.wanted.iter().position(|wanted| wanted == name) {
            self.kept.push((place, node.clone()));
        }
        match (name, node) {
            ("iss", Node::Text(text)) => self.iss = Some(text),
            ("sub", Node::Text(text)) => self.sub = Some(text),
            ("aud", Node::Text(text)) => self.aud = vec![text],
            ("aud", Node::List(items)) => {
                let text = |item| if let Node::Text(text) = item { Some(text) } else { None };
                let texts: Option<_> = items.iter().cloned().map(text).collect();
                self.aud = texts.ok_or((Node::List(items), AUDIENCES))?;
            }
            ("exp", Node::Number(time)) => self.exp = Some(time),
            ("nbf", Node::Number(time)) => self.nbf = Some(time),
            ("iat", Node::Number(time)) => self.iat = Some(time),
            ("iss" | "sub", node) => return Err((node, "a string")),
            ("aud", node) => return Err((node, AUDIENCES)),
            ("exp" | "nbf" | "iat", node) => return Err((node, "a number")),
            ("cnf", node) => self.cnf = Some(node),
            ("client_id", Node::Text(text)) => self.client_id = Some(text),
            ("azp", Node::Text(text)) => self.azp = Some(text),
            ("cid" | "appid", Node::Text(text)) => self.cid_or_appid = Some(text),
            _ => {}
        }
        Ok(())
    }

    /// A claim that was wanted, by its place among the names.
    pub(super) fn kept(&self, place: usize) -> Option<&Node<'t>> {
        self.kept.iter().find(|(found, _)| *found == place).map(|(_, node)| node)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Node<'t>> {
        self.kept(self.wanted.iter().position(|wanted| wanted == name)?)
    }

    /// What the token says of the client it was issued to.
    pub(super) fn client(&self) -> Option<&str> {
        let known = self.client_id.as_deref().or(self.azp.as_deref());
        known.or(self.cid_or_appid.as_deref())
    }

    /// Makes words of a claim that was kept as a list of them.
    pub(crate) fn join_words(&mut self, name: &str) {
        let place = self.wanted.iter().position(|wanted| wanted == name);
        let kept = self.kept.iter_mut().find(|(found, _)| Some(*found) == place);
        if let Some((_, node)) = kept
            && let Node::List(items) = node
            && let Some(words) = items.iter().map(Node::as_text).collect::<Option<Vec<_>>>()
        {
            *node = Node::Text(words.join(" ").into());
        }
    }

    /// What the sender has to hold (RFC 7800); that it does is checked for each call.
    pub(crate) fn confirmation(&self) -> Result<Option<Box<Confirmation>>, VerifyErrorKind> {
        let Some(cnf) = &self.cnf else { return Ok(None) };
        let confirmation = Confirmation::read(cnf).ok_or(VerifyErrorKind::Confirmation)?;
        Ok(Some(Box::new(confirmation)))
    }

    /// Everything but the issuer. `Expired` comes last, so that it is the answer for a token
    /// that is good otherwise.
    pub(super) fn check(
        &self,
        intended_for: &IntendedFor,
        audiences: &[String],
        now: f64,
        leeway: f64,
    ) -> Result<(), VerifyErrorKind> {
        self.check_purpose(intended_for, audiences)?;
        match self.check_times(now, leeway) {
            Ok(()) if self.exp.is_none() => Err(VerifyErrorKind::ExpiryMissing),
            outcome => outcome,
        }
    }

    /// Whether it is for this audience, and for the caller that presents it.
    pub(crate) fn check_purpose(
        &self,
        intended_for: &IntendedFor,
        audiences: &[String],
    ) -> Result<(), VerifyErrorKind> {
        let is_ours = |texts: &[Cow<'_, str>], ours: &[String]| {
            texts.iter().any(|text| ours.iter().any(|ours| ours == text))
        };
        match intended_for {
            IntendedFor::Audience if !is_ours(&self.aud, audiences) => {
                return Err(VerifyErrorKind::Audience);
            }
            IntendedFor::Clients(clients) if !is_ours(self.client_id.as_slice(), clients) => {
                return Err(VerifyErrorKind::Client);
            }
            IntendedFor::Audience | IntendedFor::Clients(_) => {}
        }
        self.confirmation()?;
        Ok(())
    }

    /// The times that it names.
    pub(crate) fn check_times(&self, now: f64, leeway: f64) -> Result<(), VerifyErrorKind> {
        if self.nbf.is_some_and(|nbf| nbf > now + leeway) {
            return Err(VerifyErrorKind::NotYetValid);
        }
        if self.iat.is_some_and(|iat| iat > now + leeway) {
            return Err(VerifyErrorKind::IssuedInFuture);
        }
        match self.exp {
            Some(exp) if exp <= now - leeway => Err(VerifyErrorKind::Expired),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<(), VerifyErrorKind> {
        let claims = TokenClaims::parse(json.as_bytes(), &[])?;
        claims.check(&IntendedFor::Audience, &["api".into()], 1000.0, 30.0)
    }

    #[test]
    fn times_and_audiences_within_bounds_are_accepted() {
        for json in [
            r#"{"aud":"api","exp":1001}"#,
            r#"{"aud":["other","api"],"exp":970.5}"#,
            r#"{"aud":"api","exp":1001,"cid":42,"appid":{},"azp":null,"client_id":[1]}"#,
            r#"{"aud":"api","exp":1e300,"nbf":1030,"iat":1030.0,"sub":"s","other":{}}"#,
        ] {
            assert_eq!(check(json), Ok(()), "{json}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_its_reason() {
        for (json, expected) in [
            (r#"{"exp":1001}"#, VerifyErrorKind::Audience),
            (r#"{"aud":"API","exp":1001}"#, VerifyErrorKind::Audience),
            (r#"{"aud":"api ","exp":1001}"#, VerifyErrorKind::Audience),
            (r#"{"aud":[],"exp":1001}"#, VerifyErrorKind::Audience),
            (r#"{"aud":"api"}"#, VerifyErrorKind::ExpiryMissing),
            (r#"{"aud":"api","exp":970}"#, VerifyErrorKind::Expired),
            (r#"{"aud":"api","exp":-1}"#, VerifyErrorKind::Expired),
            (r#"{"aud":"api","exp":1001,"nbf":1030.5}"#, VerifyErrorKind::NotYetValid),
            (r#"{"aud":"api","exp":1001,"iat":1031}"#, VerifyErrorKind::IssuedInFuture),
            (r#"{"aud":"api","exp":1001,"cnf":null}"#, VerifyErrorKind::Confirmation),
            (r#"{"aud":"api","exp":1001,"cnf":{}}"#, VerifyErrorKind::Confirmation),
            (
                r#"{"aud":"api","exp":1001,"cnf":{"jwk":{"kty":"EC"}}}"#,
                VerifyErrorKind::Confirmation,
            ),
            // Good otherwise: only then is a token said to be expired.
            (r#"{"aud":"other","exp":1}"#, VerifyErrorKind::Audience),
        ] {
            assert_eq!(check(json), Err(expected), "{json}");
        }
    }

    #[test]
    fn claims_of_another_type_are_rejected_by_their_name() {
        for (json, expected) in [
            (r#"{"aud":["api",1],"exp":1001}"#, "`aud[1]` is a number, expected a string"),
            (r#"{"aud":{}}"#, "`aud` is an object, expected a string or an array of strings"),
            (r#"{"aud":null}"#, "`aud` is null, expected a string or an array of strings"),
            (r#"{"aud":"api","exp":"1001"}"#, "`exp` is a string, expected a number"),
            (r#"{"aud":"api","exp":null}"#, "`exp` is null, expected a number"),
            (r#"{"aud":"api","exp":true}"#, "`exp` is a boolean, expected a number"),
            (r#"{"aud":"api","exp":1001,"nbf":"0"}"#, "`nbf` is a string, expected a number"),
            (r#"{"aud":"api","exp":1001,"sub":1}"#, "`sub` is a number, expected a string"),
            (r#"{"aud":"api","exp":1001,"sub":null}"#, "`sub` is null, expected a string"),
            (r#"{"aud":"api","exp":1001,"nbf":null}"#, "`nbf` is null, expected a number"),
            (r#"{"aud":"api","exp":1001,"iat":[]}"#, "`iat` is an array, expected a number"),
            (r#"{"aud":"api","iss":{}}"#, "`iss` is an object, expected a string"),
            (r#"{"aud":[["api"]],"exp":1001}"#, "`aud[0]` is an array, expected a string"),
            (r#"{"aud":"api","exp":1e400}"#, "`exp` cannot be read: a number is out of range"),
        ] {
            let found = check(json).unwrap_err().to_string();
            assert_eq!(found, format!("its payload cannot be read: {expected}"), "{json}");
        }
    }

    #[test]
    fn without_an_audience_the_client_decides() {
        let check = |json: &str| {
            let clients = IntendedFor::Clients(vec!["app".into()]);
            TokenClaims::parse(json.as_bytes(), &[])?.check(&clients, &["api".into()], 1000.0, 30.0)
        };
        assert_eq!(check(r#"{"client_id":"app","exp":1001}"#), Ok(()));
        for json in [
            r#"{"client_id":"other","exp":1001}"#,
            r#"{"azp":"app","exp":1001}"#,
            r#"{"aud":"api","exp":1001}"#,
            r#"{"aud":"app","exp":1001}"#,
        ] {
            assert_eq!(check(json), Err(VerifyErrorKind::Client), "{json}");
        }
    }

    #[test]
    fn wanted_claims_are_kept_even_if_they_decide_as_well() {
        let wanted = ["azp", "aud", "scope", "exp"].map(String::from);
        let json = br#"{"azp":"a","aud":"b","scope":"c","exp":1,"other":"d"}"#;
        let claims = TokenClaims::parse(json, &wanted).unwrap();
        let text = |text: &'static str| Node::Text(text.into());
        assert_eq!(claims.named("azp"), Some(&text("a")));
        assert_eq!(claims.named("aud"), Some(&Node::List(vec![text("b")])));
        assert_eq!(claims.named("scope"), Some(&text("c")));
        assert_eq!(claims.named("exp"), None);
        assert_eq!(claims.named("other"), None);
        assert_eq!((claims.client(), claims.exp), (Some("a"), Some(1.0)));
    }
}
