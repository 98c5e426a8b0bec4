//! What the verifier says of the lines of a corpus: a token, a key set and a policy each. It is the
//! verifier behind the layer, configured as a user would.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use grpc_auth::testing::{ManualClock, verify_signature};
use grpc_auth::{Algorithm, BearerToken, Issuer, Principal, ResourceServer, TokenCache};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// More servers than this are not kept: corpora use one key set for many lines.
const MAX_SERVERS: usize = 256;

/// A clock beyond it cannot be added to.
const END_OF_9999: f64 = 253_402_300_799.0;

/// Judges lines, and keeps the servers that it built for them.
#[derive(Debug, Default)]
pub struct Judge {
    servers: HashMap<String, Result<ResourceServer, String>>,
}

/// What is said of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The line's.
    pub id: String,
    /// Accepted, or why not.
    pub verdict: Result<(), String>,
}

/// Kept as they are written: a key set with a name in it twice is to be judged as such.
#[derive(Deserialize)]
struct Line<'a> {
    id: String,
    #[serde(borrow)]
    token: &'a RawValue,
    #[serde(borrow)]
    jwks: &'a RawValue,
    #[serde(borrow)]
    policy: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(default)]
struct Policy {
    /// None: those of the keys.
    algs: Option<Vec<String>>,
    iss: Option<String>,
    aud: Option<OneOrMany>,
    leeway: Option<f64>,
    require: Option<Vec<String>>,
    /// Seconds since 1970; none for the wall clock.
    now: Option<f64>,
    /// None: any JWT, with a `typ` or without; else an access token of this type.
    typ: Option<String>,
    /// All of them are to be granted.
    scopes: Option<Vec<String>>,
    /// Whether the payload is a JWT's.
    claims: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            algs: None,
            iss: None,
            aud: None,
            leeway: None,
            require: None,
            now: None,
            typ: None,
            scopes: None,
            claims: true,
        }
    }
}

impl Judge {
    /// Judges a line.
    ///
    /// # Errors
    /// What is wrong with a line that is not one of a corpus.
    pub async fn judge(&mut self, line: &[u8]) -> Result<Judgement, String> {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let wrong = |error: serde_json::Error| format!("{}: {error}", line.id);
        let policy: Policy = serde_json::from_str(line.policy.get()).map_err(wrong)?;
        let Ok(token) = serde_json::from_str::<String>(line.token.get()) else {
            // A lone surrogate is a string of JSON and no text: metadata cannot hold it.
            return if line.token.get().starts_with('"') {
                Ok(Judgement { id: line.id, verdict: Err("the token is no text".into()) })
            } else {
                Err(format!("{}: `token` is not a string", line.id))
            };
        };
        // A key set that is no JSON comes as a string.
        let jwks =
            serde_json::from_str(line.jwks.get()).unwrap_or_else(|_| line.jwks.get().to_owned());
        let verdict = self.verdict(&token, &jwks, line.policy.get(), &policy).await;
        Ok(Judgement { id: line.id, verdict })
    }

    async fn verdict(
        &mut self,
        token: &str,
        jwks: &str,
        policy_text: &str,
        policy: &Policy,
    ) -> Result<(), String> {
        let bearer = BearerToken::parse(token)
            .ok_or("it is not one token68 of at most 64 KiB after `Bearer `")?;
        if !policy.claims {
            return verify_signature(jwks, &policy.algorithms()?, token);
        }
        if self.servers.len() >= MAX_SERVERS {
            self.servers.clear();
        }
        let key = format!("{policy_text}\n{jwks}");
        if !self.servers.contains_key(&key) {
            self.servers.insert(key.clone(), policy.server(jwks).await);
        }
        let server = self.servers.get(&key).ok_or("no server")?.as_ref()?;
        let caller = server.verify(&bearer).await.map_err(|refused| refused.to_string())?;
        policy.check(&caller)
    }
}

impl Policy {
    /// Those that exist here: no HMAC, no `none`.
    fn algorithms(&self) -> Result<Vec<Algorithm>, String> {
        let Some(names) = &self.algs else { return Ok(Vec::new()) };
        let known = |algorithm: &Algorithm| names.iter().any(|name| name == algorithm.as_str());
        let algorithms: Vec<_> = Algorithm::all().iter().copied().filter(known).collect();
        // An empty list would mean the keys' own.
        if algorithms.is_empty() {
            return Err(format!("none of the algorithms {names:?} is supported"));
        }
        Ok(algorithms)
    }

    async fn server(&self, jwks: &str) -> Result<ResourceServer, String> {
        let issuer = self.iss.as_deref().ok_or("the policy names no issuer: none is believed")?;
        let mut issuer =
            Issuer::static_keys(issuer, jwks).algorithms(self.algorithms()?).allow_missing_key_id();
        match self.typ.as_deref() {
            None => issuer = issuer.accept_token_type("").accept_token_type("JWT"),
            Some("at+jwt") => {}
            Some(other) => issuer = issuer.accept_token_type(other),
        }
        let seconds = |seconds: f64| {
            Duration::try_from_secs_f64(seconds).map_err(|error| format!("{seconds}: {error}"))
        };
        let mut builder = ResourceServer::builder()
            .issuer(issuer)
            .leeway(seconds(self.leeway.unwrap_or_default())?)
            .token_cache(TokenCache::default().entries(64));
        let audiences = match &self.aud {
            None => &[][..],
            Some(OneOrMany::One(audience)) => std::slice::from_ref(audience),
            Some(OneOrMany::Many(audiences)) => audiences,
        };
        for audience in audiences {
            builder = builder.audience(audience);
        }
        if let Some(now) = self.now {
            let now = SystemTime::UNIX_EPOCH.checked_add(seconds(now.min(END_OF_9999))?);
            builder = builder.clock(ManualClock::at(now.ok_or("`now` is beyond all clocks")?));
        }
        builder.build().await.map_err(|error| crate::told(&error))
    }

    /// What is asked of a token beyond its being genuine.
    fn check(&self, caller: &Principal) -> Result<(), String> {
        let scopes = self.scopes.as_deref().unwrap_or_default();
        if let Some(scope) = scopes.iter().find(|scope| !caller.has_scope(scope)) {
            return Err(format!("it does not grant {scope:?}"));
        }
        let claims =
            caller.claims::<HashMap<String, Value>>().map_err(|error| error.to_string())?;
        let required = self.require.as_deref().unwrap_or_default();
        match required.iter().find(|name| !claims.contains_key(*name)) {
            Some(name) => Err(format!("it has no {name:?}")),
            None => Ok(()),
        }
    }
}
