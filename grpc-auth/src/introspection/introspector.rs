//! Introspects tokens: one request in flight for each token, and the limits for all.

mod answer;
mod flight;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::hmac;
use aws_lc_rs::rand;

use super::Digest;
use super::cache::Remembered;
use super::circuit_breaker::Circuit;
use super::request::{Failure, Question};
use super::response::Expectation;
#[cfg(feature = "redis")]
use super::shared_cache::SharedCache;
use crate::clock::{Clock, Moment};
use crate::error::ConfigError;
use crate::http::network::Network;
use crate::issuer::Issuer;
use crate::issuer::introspection::Introspection;
use crate::lock::locked;
use crate::single_flight::Flight;
use crate::token::bearer::BearerToken;
use crate::token::caller::AuthenticatedCaller;
use crate::token::principal::Principal;
use crate::verify::Verdict;
use crate::verify::error::{VerifyErrorKind, VerifyFailure};
use crate::verify::set_associative::Table;

use flight::{Admitted, InFlight};

/// What answers may take in memory, whatever they hold.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Asks one issuer about tokens.
#[derive(Debug)]
pub(crate) struct Introspector(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    expected: Expectation,
    settings: Introspection,
    clock: Clock,
    question: Question,
    /// Tokens are known by their hash under this key alone.
    key: hmac::Key,
    active: Table<Remembered<Principal>>,
    inactive: Table<Remembered<VerifyFailure>>,
    #[cfg(feature = "redis")]
    shared_cache: Option<Arc<SharedCache>>,
    asking: Mutex<Asking>,
}

/// How a question ended.
type Outcome = Result<Principal, VerifyFailure>;

#[derive(Debug, Default)]
struct Asking {
    circuit: Circuit,
    /// Failures in a row that may be about their tokens.
    about_tokens: u32,
    /// Under way at the endpoint.
    questions: usize,
    flights: HashMap<Digest, Flight<Outcome>>,
}

impl Asking {
    fn succeeded(&mut self) {
        self.circuit.succeeded();
        self.about_tokens = 0;
    }

    /// Returns how many times in a row.
    fn failed(&mut self, failure: &Failure, now: f64) -> u32 {
        if failure.is_the_servers() {
            return self.circuit.failed(now);
        }
        self.circuit.undecided();
        self.about_tokens = self.about_tokens.saturating_add(1);
        self.about_tokens
    }
}

impl Introspector {
    pub(crate) fn new(
        issuer: &Issuer,
        settings: Introspection,
        network: &Network,
        audiences: Vec<String>,
        leeway: f64,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        #[cfg(feature = "redis")]
        let (shared_cache, key) = match &settings.shared_cache {
            Some(shared) => {
                SharedCache::new(shared).map(|(cache, key)| (Some(Arc::new(cache)), key))?
            }
            None => (None, random_key()?),
        };
        #[cfg(not(feature = "redis"))]
        let key = random_key()?;
        let (cache, allow) = (settings.cache, settings.allow_missing_audience);
        Ok(Self(Arc::new(Shared {
            expected: Expectation::new(issuer.clone(), audiences, allow, leeway),
            question: Question::new(issuer, &settings, network, clock.clone())?,
            clock,
            key,
            #[cfg(feature = "redis")]
            shared_cache,
            active: Table::new("active", cache.active_entries, MAX_BYTES),
            inactive: Table::new("inactive", cache.inactive_entries, MAX_BYTES),
            settings,
            asking: Mutex::default(),
        })))
    }

    /// Whose tokens these are.
    pub(crate) fn issuer(&self) -> &str {
        self.0.identifier()
    }

    pub(crate) fn is_hybrid(&self) -> bool {
        self.0.settings.hybrid
    }

    /// Asks about a token that is known to expire then, in seconds since 1970; an answer may say
    /// earlier, and not later.
    pub(crate) fn verify_until(&self, token: BearerToken, expires_at: f64) -> Verdict {
        let digest = self.0.digest(token.as_bytes());
        match self.0.ask(digest, &token, expires_at) {
            Ok(answer) => {
                let shared = Arc::clone(&self.0);
                Verdict::Asked(Box::pin(async move {
                    let principal = shared.wait(answer, digest, &token, expires_at).await?;
                    Ok(AuthenticatedCaller::new(principal, Some(token)))
                }))
            }
            Err(known) => Verdict::Known(
                known.map(|principal| AuthenticatedCaller::new(principal, Some(token))),
            ),
        }
    }

    /// The caller of a token that was introspected before, if that still holds.
    pub(crate) fn recall(&self, token: &[u8]) -> Option<AuthenticatedCaller> {
        if self.0.active.is_off() {
            return None;
        }
        let known = self.0.active.known(&self.0.digest(token), self.0.clock.moment());
        self.0.active.metrics.looked_up(known.is_some());
        let principal = known?;
        // It is not kept with what is known of it.
        Some(AuthenticatedCaller::new(principal, Some(BearerToken::known(token))))
    }

    pub(crate) fn verify(&self, token: BearerToken) -> Verdict {
        self.verify_until(token, f64::INFINITY)
    }
}

impl Shared {
    fn identifier(&self) -> &str {
        &self.expected.issuer.settings.identifier
    }

    fn digest(&self, token: &[u8]) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(self.identifier().as_bytes());
        context.update(&[0]);
        context.update(token);
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    /// Joins the question about this token, or begins it; what is known needs none.
    fn ask(
        self: &Arc<Self>,
        digest: Digest,
        token: &BearerToken,
        expires_at: f64,
    ) -> Result<Flight<Outcome>, Outcome> {
        let now = self.clock.moment();
        let mut asking = self.asking();
        // In this order: a question leaves the flights after its answer is remembered.
        if let Some(answer) = asking.flights.get(&digest) {
            return Ok(answer.clone());
        }
        let refusal = self.inactive.known(&digest, now);
        if !self.inactive.is_off() {
            self.inactive.metrics.looked_up(refusal.is_some());
        }
        if let Some(refusal) = refusal {
            return Err(Err(refusal));
        }
        if let Some(principal) = self.active.known(&digest, now) {
            return Err(Ok(principal));
        }
        if asking.flights.len() >= self.settings.max_in_flight * self.waiting_for_replicas() {
            return Err(Err(VerifyErrorKind::IntrospectionBusy.into()));
        }
        let mut admitted = None;
        if self.waiting_for_replicas() == 1 {
            admitted = Some(self.admit(&mut asking, now).map_err(Err)?);
        }
        let (question, answer) = InFlight::new(self, digest);
        asking.flights.insert(digest, answer.clone());
        drop(asking);
        // In a task of its own: the caller that began it may go away, and others wait for it.
        tokio::spawn(question.fly(token.clone(), expires_at, admitted));
        Ok(answer)
    }

    /// Waits for the answer. Asks again if the question ended without one: its runtime ended, or it
    /// panicked.
    async fn wait(
        self: &Arc<Self>,
        mut answer: Flight<Outcome>,
        digest: Digest,
        token: &BearerToken,
        expires_at: f64,
    ) -> Outcome {
        for _ in 0..2 {
            if let Some(outcome) = answer.result().await {
                return outcome;
            }
            answer = match self.ask(digest, token, expires_at) {
                Ok(next) => next,
                Err(known) => return known,
            };
        }
        answer.result().await.unwrap_or_else(|| Err(unavailable()))
    }

    /// A question of its own may be asked.
    fn admit(
        self: &Arc<Self>,
        asking: &mut Asking,
        now: Moment,
    ) -> Result<Admitted, VerifyFailure> {
        if asking.questions >= self.settings.max_in_flight {
            return Err(VerifyErrorKind::IntrospectionBusy.into());
        }
        if !asking.circuit.admit(now.seconds) {
            return Err(unavailable());
        }
        asking.questions += 1;
        Ok(Admitted::new(self))
    }

    /// How many times as many tokens may wait as questions may be asked: where replicas share what
    /// they know, that is looked at first.
    fn waiting_for_replicas(&self) -> usize {
        #[cfg(feature = "redis")]
        if self.shared_cache.is_some() {
            return 16;
        }
        1
    }

    fn asking(&self) -> MutexGuard<'_, Asking> {
        locked(&self.asking)
    }
}

fn random_key() -> Result<hmac::Key, ConfigError> {
    let mut key = [0; 32];
    rand::fill(&mut key).map_err(|_| ConfigError::no_random_numbers())?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

fn unavailable() -> VerifyFailure {
    VerifyErrorKind::IntrospectionUnavailable.into()
}
