//! The questions: one at a time for each token, and what is remembered of the answers.

mod flight;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use tokio::sync::watch;

use super::super::rejection::{Refusal, Rejection};
use super::super::table::Table;
use super::super::trusted::TrustedIssuer;
use super::super::{Verdict, Verifier};
use super::circuit::Circuit;
use super::question::{Failure, Question};
use super::remembered::{Remembered, hash};
use super::response::{Active, Expectation, NoAnswer, want_use};
use super::settings::Introspection;
#[cfg(feature = "redis")]
use super::shared::SharedCache;
use crate::bearer::BearerToken;
use crate::caller::Caller;
use crate::clock::{Clock, Moment};
use crate::error::ConfigError;
use crate::issuer::Issuer;
use crate::jwks::{FetchError, KeySet, KeySource};
use crate::metrics::{self, Timer};
use crate::principal::Principal;

use flight::{Admitted, Flight};

/// What answers may take in memory, whatever they hold.
const MAX_BYTES: usize = 32 * 1024 * 1024;

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
    active: Table<Remembered<Principal>>,
    inactive: Table<Remembered<Refusal>>,
    #[cfg(feature = "redis")]
    shared_cache: Option<Arc<SharedCache>>,
    asking: Mutex<Asking>,
}

/// What a token is known by.
pub(super) type Digest = [u8; 32];

/// How a question ended.
type Outcome = Result<Principal, Refusal>;

/// An answer, and until when it is believed.
struct Judged {
    outcome: Outcome,
    /// Seconds since 1970.
    #[cfg(feature = "redis")]
    deadline: f64,
}

#[derive(Debug, Default)]
struct Asking {
    circuit: Circuit,
    /// Failures in a row that may be about their tokens.
    about_tokens: u32,
    /// Under way at the endpoint.
    questions: usize,
    flights: HashMap<Digest, watch::Receiver<Option<Outcome>>>,
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
        let mut wanted = Vec::new();
        let keys = KeySource::given(&issuer.identifier, KeySet::none());
        let cache = settings.cache;
        let trusted = TrustedIssuer::new(issuer.clone(), keys, &mut wanted);
        want_use(&mut wanted);
        Ok(Self(Arc::new(Shared {
            issuer: trusted,
            wanted,
            audiences,
            leeway,
            question: Question::new(issuer, &settings, clock.clone())?,
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
        &self.0.issuer.settings.identifier
    }

    pub(crate) fn is_hybrid(&self) -> bool {
        self.0.settings.hybrid
    }

    /// Asks about a token that is known to expire then, in seconds since 1970; an answer may say
    /// earlier, and not later.
    pub(crate) fn verify_until(&self, token: BearerToken, expires_at: f64) -> Verdict {
        let digest = self.0.digest(token.as_bytes());
        match self.0.ask(digest, &token, expires_at) {
            Ok(mut answer) => Verdict::Asked(Box::pin(async move {
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

impl Verifier for Introspector {
    fn recall(&self, token: &[u8]) -> Option<Caller> {
        if self.0.active.is_off() {
            return None;
        }
        let known = self.0.active.known(&self.0.digest(token), self.0.clock.moment());
        self.0.active.metrics.looked_up(known.is_some());
        let principal = known?;
        // It is not kept with what is known of it.
        Some(Caller::new(principal, Some(BearerToken::known(token))))
    }

    fn verify(&self, token: BearerToken) -> Verdict {
        self.verify_until(token, f64::INFINITY)
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

    /// Joins the question about this token, or begins it; what is known needs none.
    fn ask(
        self: &Arc<Self>,
        digest: Digest,
        token: &BearerToken,
        expires_at: f64,
    ) -> Result<watch::Receiver<Option<Outcome>>, Outcome> {
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
            return Err(Err(Rejection::IntrospectionBusy.into()));
        }
        let mut admitted = None;
        if self.waiting_for_replicas() == 1 {
            admitted = Some(self.admit(&mut asking, now).map_err(Err)?);
        }
        let (sender, answer) = watch::channel(None);
        asking.flights.insert(digest, answer.clone());
        drop(asking);
        let flight = Flight { shared: Arc::clone(self), digest };
        let token = token.clone();
        // Whoever waits may go away; the question is everybody's.
        tokio::spawn(async move {
            let outcome = flight.answer(&token, expires_at, admitted).await;
            drop(flight);
            sender.send_replace(Some(outcome));
        });
        Ok(answer)
    }

    /// A question of its own may be asked.
    fn admit(&self, asking: &mut Asking, now: Moment) -> Result<Admitted, Refusal> {
        if asking.questions >= self.settings.max_in_flight {
            return Err(Rejection::IntrospectionBusy.into());
        }
        if !asking.circuit.admit(now.seconds) {
            return Err(unavailable());
        }
        asking.questions += 1;
        Ok(Admitted)
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

    /// Asks, and remembers the answer.
    async fn put(&self, digest: &Digest, token: &BearerToken, expires_at: f64) -> Outcome {
        let timer = Timer::start(&self.clock);
        let question = self.question.ask(token);
        let in_time = self.clock.timeout(self.settings.timeout, question).await;
        let answer =
            in_time.unwrap_or_else(|| Err(FetchError::Timeout(self.settings.timeout).into()));
        let judged = answer.and_then(|json| {
            let judged = self.judge(digest, &json, f64::INFINITY, expires_at)?;
            #[cfg(feature = "redis")]
            if judged.outcome.is_ok() {
                self.share(digest, json, judged.deadline);
            }
            Ok(judged)
        });
        let outcome = match &judged {
            Ok(judged) if judged.outcome.is_ok() => "active",
            Ok(_) => "inactive",
            Err(_) => "failed",
        };
        metrics::introspected(&self.issuer.settings.identifier, &timer, outcome);
        match judged {
            Ok(judged) => {
                self.asking().succeeded();
                judged.outcome
            }
            Err(failure) => {
                let now = self.clock.moment().seconds;
                let consecutive = self.asking().failed(&failure, now);
                failure.log(&self.issuer.settings.identifier, consecutive);
                Err(unavailable())
            }
        }
    }

    /// Judges an answer, and remembers it until `latest` at most.
    fn judge(
        &self,
        digest: &Digest,
        json: &[u8],
        latest: f64,
        expires_at: f64,
    ) -> Result<Judged, Failure> {
        let now = self.clock.moment();
        let expectation = Expectation {
            issuer: &self.issuer,
            audiences: &self.audiences,
            wanted: &self.wanted,
            allow_missing_audience: self.settings.allow_missing_audience,
            now: now.seconds,
            leeway: self.leeway,
        };
        let judged = expectation.read(json).map_err(|NoAnswer(error)| Failure::NoAnswer(error))?;
        let judged = judged.map(|active| active.until(expires_at));
        let cache = &self.settings.cache;
        let after = |age: Duration| latest.min(now.seconds + age.as_secs_f64());
        let deadline = match &judged {
            Ok(Active { exp: Some(exp), .. }) => exp.min(after(cache.active)),
            Ok(Active { exp: None, .. }) => after(cache.active_without_expiry),
            Err(_) => after(cache.inactive),
        };
        let outcome = match judged {
            Ok(active) => Ok(Principal::introspected(active.facts)),
            Err(rejection) => {
                let issuer = Some(self.issuer.settings.identifier.clone());
                Err(Refusal { issuer, ..rejection.into() })
            }
        };
        if deadline > now.seconds {
            let (digest, hash, since) = (*digest, hash(digest), now.seconds);
            match outcome.clone() {
                Ok(known) => {
                    self.active.insert(hash, Remembered { digest, since, deadline, known }.into())
                }
                Err(known) => {
                    self.inactive
                        .insert(hash, Remembered { digest, since, deadline, known }.into());
                }
            }
        }
        Ok(Judged {
            outcome,
            #[cfg(feature = "redis")]
            deadline,
        })
    }

    #[cfg(feature = "redis")]
    async fn shared_answer(&self, digest: &Digest, expires_at: f64) -> Option<Outcome> {
        let cache = self.shared_cache.as_ref()?;
        let found = cache.get(digest, self.clock.moment()).await?;
        Some(self.judge(digest, &found.json, found.deadline, expires_at).ok()?.outcome)
    }

    /// In the background: nobody waits for it.
    #[cfg(feature = "redis")]
    fn share(&self, digest: &Digest, json: Vec<u8>, deadline: f64) {
        let Some(cache) = &self.shared_cache else { return };
        let (cache, digest, now) = (Arc::clone(cache), *digest, self.clock.moment());
        tokio::spawn(async move { cache.put(&digest, &json, deadline, now).await });
    }

    fn asking(&self) -> MutexGuard<'_, Asking> {
        locked(&self.asking)
    }
}

fn random_key() -> Result<hmac::Key, ConfigError> {
    let mut key = [0; 32];
    rand::fill(&mut key).map_err(|_| ConfigError::RandomUnavailable)?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

fn unavailable() -> Refusal {
    Rejection::IntrospectionUnavailable.into()
}

/// Nothing panics while it is held; were it so, the data would be as good as before.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
