//! The questions: one at a time for each token, and what is remembered of the answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use constant_time_eq::constant_time_eq_32;
use tokio::sync::watch;

use super::super::rejection::{Refusal, Rejection};
use super::super::table::{Entry, Table};
use super::super::trusted::TrustedIssuer;
use super::super::{Verdict, Verifier};
use super::circuit::Circuit;
use super::question::{Failure, Question};
use super::response::{self, Expectation, NoAnswer};
use super::settings::Introspection;
use crate::bearer::BearerToken;
use crate::caller::Caller;
use crate::clock::{Clock, Moment};
use crate::error::ConfigError;
use crate::issuer::Issuer;
use crate::jwks::{FetchError, KeySet, KeySource};
use crate::principal::Principal;

/// What answers may take in memory, whatever they hold.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// What an entry takes beside its claims.
const OVERHEAD: usize = 512;

/// Asks one issuer about tokens.
#[derive(Debug)]
pub(crate) struct Introspector(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    issuer: TrustedIssuer,
    settings: Introspection,
    wanted: Vec<String>,
    audiences: Vec<String>,
    leeway: f64,
    clock: Clock,
    question: Question,
    /// Tokens are known by their hash under this key alone.
    key: hmac::Key,
    active: Table<Active>,
    inactive: Table<Inactive>,
    asking: Mutex<Asking>,
}

/// What a token is known by.
type Digest = [u8; 32];

struct Active {
    digest: Digest,
    /// Seconds since 1970.
    deadline: f64,
    principal: Principal,
}

struct Inactive {
    digest: Digest,
    /// Seconds since 1970.
    deadline: f64,
    refusal: Refusal,
}

#[derive(Debug, Default)]
struct Asking {
    circuit: Circuit,
    flights: HashMap<Digest, watch::Receiver<Option<Outcome>>>,
}

/// How a question ended.
type Outcome = Result<Principal, Refusal>;

impl Entry for Active {
    fn weight(&self) -> usize {
        self.principal.claims_len() + OVERHEAD
    }
}

impl Entry for Inactive {
    fn weight(&self) -> usize {
        OVERHEAD
    }
}

impl Introspector {
    pub(crate) fn new(
        issuer: &Issuer,
        settings: Introspection,
        audiences: Vec<String>,
        leeway: f64,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(|_| ConfigError::NoRandomNumbers)?;
        let mut wanted = Vec::new();
        let keys = KeySource::given(&issuer.identifier, KeySet::none());
        let cache = settings.cache;
        Ok(Self(Arc::new(Shared {
            issuer: TrustedIssuer::new(issuer.clone(), keys, &mut wanted),
            wanted,
            audiences,
            leeway,
            question: Question::new(issuer, &settings, clock.clone())?,
            clock,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            active: Table::new(cache.active_entries, MAX_BYTES),
            inactive: Table::new(cache.inactive_entries, MAX_BYTES),
            settings,
            asking: Mutex::default(),
        })))
    }

    /// Whose tokens these are.
    pub(crate) fn issuer(&self) -> &str {
        &self.0.issuer.settings.identifier
    }

    pub(crate) fn is_hybrid(&self) -> bool {
        self.0.settings.hybrid
    }
}

impl Verifier for Introspector {
    fn recall(&self, token: &[u8]) -> Option<Caller> {
        if self.0.active.is_off() {
            return None;
        }
        let principal = self.0.find_active(&self.0.digest(token), self.0.clock.moment())?;
        // It is not kept with what is known of it.
        Some(Caller::new(principal, Some(BearerToken::from_bytes(token)?)))
    }

    fn verify(&self, token: BearerToken) -> Verdict {
        let digest = self.0.digest(token.as_bytes());
        match self.0.ask(digest, &token) {
            Ok(mut answer) => Verdict::Pending(Box::pin(async move {
                let outcome = match answer.wait_for(Option::is_some).await {
                    Ok(outcome) => outcome.clone(),
                    // The question ended without an answer: it panicked, or the runtime ends.
                    Err(_) => None,
                };
                let principal = outcome.unwrap_or_else(|| Err(unavailable()))?;
                Ok(Caller::new(principal, Some(token)))
            })),
            Err(known) => {
                Verdict::Known(known.map(|principal| Caller::new(principal, Some(token))))
            }
        }
    }
}

impl Shared {
    fn digest(&self, token: &[u8]) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(self.issuer.settings.identifier.as_bytes());
        context.update(&[0]);
        context.update(token);
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    fn find_active(&self, digest: &Digest, now: Moment) -> Option<Principal> {
        let is_it = |entry: &Active| constant_time_eq_32(&entry.digest, digest);
        let found = self.active.find(hash(digest), is_it)?;
        let entry = found.as_arc()?;
        (now.seconds < entry.deadline).then(|| entry.principal.clone())
    }

    fn find_inactive(&self, digest: &Digest, now: Moment) -> Option<Refusal> {
        let is_it = |entry: &Inactive| constant_time_eq_32(&entry.digest, digest);
        let found = self.inactive.find(hash(digest), is_it)?;
        let entry = found.as_arc()?;
        (now.seconds < entry.deadline).then(|| entry.refusal.clone())
    }

    /// Joins the question about this token, or begins it; what is known needs none.
    fn ask(
        self: &Arc<Self>,
        digest: Digest,
        token: &BearerToken,
    ) -> Result<watch::Receiver<Option<Outcome>>, Outcome> {
        let now = self.clock.moment();
        let mut asking = self.asking();
        // In this order: a question leaves the flights after its answer is remembered.
        if let Some(answer) = asking.flights.get(&digest) {
            return Ok(answer.clone());
        }
        if let Some(refusal) = self.find_inactive(&digest, now) {
            return Err(Err(refusal));
        }
        if let Some(principal) = self.find_active(&digest, now) {
            return Err(Ok(principal));
        }
        if asking.flights.len() >= self.settings.max_in_flight {
            return Err(Err(Rejection::IntrospectionBusy.into()));
        }
        if !asking.circuit.admit(now.seconds) {
            return Err(Err(unavailable()));
        }
        let (sender, answer) = watch::channel(None);
        asking.flights.insert(digest, answer.clone());
        drop(asking);
        let flight = Flight { shared: Arc::clone(self), digest };
        let token = token.clone();
        // Whoever waits may go away; the question is everybody's.
        tokio::spawn(async move {
            let outcome = flight.shared.answer(&flight.digest, &token).await;
            drop(flight);
            sender.send_replace(Some(outcome));
        });
        Ok(answer)
    }

    /// Asks, and remembers the answer.
    async fn answer(&self, digest: &Digest, token: &BearerToken) -> Outcome {
        let fetch = self.question.ask(token);
        let in_time = self.clock.timeout(self.settings.timeout, fetch).await;
        let answer =
            in_time.unwrap_or_else(|| Err(FetchError::Timeout(self.settings.timeout).into()));
        let now = self.clock.moment();
        let judged = answer.and_then(|json| {
            let expectation = Expectation {
                issuer: &self.issuer,
                audiences: &self.audiences,
                wanted: &self.wanted,
                allow_missing_audience: self.settings.allow_missing_audience,
                now: now.seconds,
                leeway: self.leeway,
            };
            expectation.read(&json).map_err(|NoAnswer| Failure::NoAnswer)
        });
        match judged {
            Ok(judged) => {
                self.asking().circuit.succeeded();
                match judged {
                    Ok(active) => Ok(self.remember_active(digest, active, now)),
                    Err(rejection) => Err(self.remember_inactive(digest, rejection, now)),
                }
            }
            Err(failure) => {
                let consecutive = self.asking().circuit.failed(now.seconds);
                failure.log(&self.issuer.settings.identifier, consecutive);
                Err(unavailable())
            }
        }
    }

    fn remember_active(&self, digest: &Digest, active: response::Active, now: Moment) -> Principal {
        let cache = &self.settings.cache;
        let deadline = match active.exp {
            Some(exp) => exp.min(now.seconds + cache.active.as_secs_f64()),
            None => now.seconds + cache.active_without_expiry.as_secs_f64(),
        };
        let principal = Principal::introspected(active.facts);
        if deadline > now.seconds {
            let entry = Active { digest: *digest, deadline, principal: principal.clone() };
            self.active.insert(hash(digest), Arc::new(entry));
        }
        principal
    }

    fn remember_inactive(&self, digest: &Digest, rejection: Rejection, now: Moment) -> Refusal {
        let issuer = Some(self.issuer.settings.identifier.clone());
        let refusal = Refusal { issuer, ..rejection.into() };
        let deadline = now.seconds + self.settings.cache.inactive.as_secs_f64();
        let entry = Inactive { digest: *digest, deadline, refusal: refusal.clone() };
        self.inactive.insert(hash(digest), Arc::new(entry));
        refusal
    }

    fn asking(&self) -> MutexGuard<'_, Asking> {
        locked(&self.asking)
    }
}

/// A question under way; when it is over, however that came, another may be asked.
struct Flight {
    shared: Arc<Shared>,
    digest: Digest,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.shared.asking().flights.remove(&self.digest);
    }
}

/// Keyed by chance, and as good as random.
fn hash(digest: &Digest) -> u64 {
    digest.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

fn unavailable() -> Refusal {
    Rejection::IntrospectionUnavailable.into()
}

/// Nothing panics while it is held; were it so, the data would be as good as before.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
