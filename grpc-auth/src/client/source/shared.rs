//! What the clones of a source share: the token that calls read without a lock, and the flight that
//! gets the next one.

use std::error::Error as _;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;

use super::TokenSource;
use super::grant::{Grant, Granted};
use crate::client::access_token::AccessToken;
use crate::client::dpop::DpopKey;
use crate::client::error::TokenError;
use crate::client::outage::{Chain, Outage};
use crate::client::renewal::{Answer, Failure, Renewal};
use crate::clock::Clock;
use crate::clock::jitter::roll;
use crate::http::error::HttpError;
use crate::lock::locked;
use crate::metrics;
use crate::panics::caught;
use crate::single_flight::{Flight, Landing};

/// The tokens of one source.
pub(crate) struct Shared {
    pub(super) grant: Arc<dyn Grant>,
    clock: Clock,
    held: ArcSwapOption<Held>,
    state: Mutex<State>,
    /// Failures in a row, of all sources that share the counter.
    failures: Arc<AtomicU32>,
    /// Whether calls have to do without a token.
    outage: Outage,
}

/// What a warm call looks at.
struct Held {
    token: Arc<AccessToken>,
    /// When it serves without a question.
    quiet: Range<SystemTime>,
}

#[derive(Default)]
struct State {
    renewal: Renewal,
    /// All waiting calls share it, and may go away.
    flight: Option<Flight<Outcome>>,
    /// Why there is no token.
    failure: Option<TokenError>,
}

/// How a flight ended.
type Outcome = Result<Arc<AccessToken>, TokenError>;

/// What a call that needs a token does.
enum Step {
    Over(Outcome),
    Wait(Flight<Outcome>),
}

impl TokenSource {
    /// A token that may be used now: the one that is held, or a new one.
    ///
    /// # Errors
    /// When there is no token, and none can be obtained.
    pub async fn token(&self) -> Result<Arc<AccessToken>, TokenError> {
        if let Some(token) = self.0.fresh(self.0.clock.now()) {
            return Ok(token);
        }
        // Once more, if the renewal task is gone: its runtime ended, for example.
        for _ in 0..2 {
            match self.step() {
                Step::Over(outcome) => return outcome,
                Step::Wait(flight) => {
                    if let Some(outcome) = self.0.wait(flight).await {
                        return outcome;
                    }
                }
            }
        }
        Err(TokenError::GivenUp)
    }

    /// A token for a call or request, which is not sent without one.
    pub(in crate::client) async fn token_for_call(&self) -> Result<Arc<AccessToken>, TokenError> {
        let token = self.token().await;
        match &token {
            Ok(_) => self.0.outage.ends(),
            Err(error) => self.0.outage.begins(error),
        }
        token
    }

    /// The token that is held, if it may be used for a call. Never waits.
    #[inline]
    pub(in crate::client) fn current(&self) -> Option<Arc<AccessToken>> {
        let token = self.0.fresh(self.0.clock.now()).or_else(|| self.aged())?;
        self.0.outage.ends();
        Some(token)
    }

    #[cold]
    fn aged(&self) -> Option<Arc<AccessToken>> {
        match self.step() {
            Step::Over(outcome) => outcome.ok(),
            Step::Wait(_) => None,
        }
    }

    /// The service that was called did not accept this token. Tells whether another one may be
    /// tried: not often for the one that is held, always for one that was replaced meanwhile.
    pub(in crate::client) fn reject(&self, token: &AccessToken) -> bool {
        if !self.0.grant.is_renewable() {
            return false;
        }
        let now = self.0.clock.now();
        let mut state = self.0.state();
        let may_try = state.renewal.reject(now, token.generation);
        self.0.publish(&state, now);
        may_try
    }

    /// Why there is no other token than the one that is held, if the last attempt to get one failed.
    pub(in crate::client) fn failure(&self) -> Option<TokenError> {
        self.0.state().failure.clone()
    }

    /// The clock that its tokens expire by.
    pub(in crate::client) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The key that its tokens are bound to.
    pub(in crate::client) fn dpop(&self) -> Option<&DpopKey> {
        self.0.grant.dpop()
    }

    fn step(&self) -> Step {
        let shared = &self.0;
        let now = shared.clock.now();
        let mut state = shared.state();
        let answer = state.renewal.need(now);
        let begun = matches!(answer, Answer::Ask | Answer::ServeAndRenew).then(|| {
            let (flight, landing) = Flight::begin();
            state.flight = Some(flight);
            shared.publish(&state, now);
            RenewalTask { shared: Arc::clone(shared), landing, is_over: false }
        });
        let step = match answer {
            Answer::Serve | Answer::ServeAndRenew => shared.held_token().map(|t| Step::Over(Ok(t))),
            Answer::Wait | Answer::Ask => state.flight.clone().map(Step::Wait),
            Answer::Refuse => state.failure.clone().map(|error| Step::Over(Err(error))),
        };
        drop(state);
        // Without a runtime it is over, and dropped.
        if let (Some(task), Ok(runtime)) = (begun, Handle::try_current()) {
            runtime.spawn(task.run());
        }
        // The renewal holds what is held here.
        step.unwrap_or(Step::Over(Err(TokenError::GivenUp)))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = &self.0;
        let token = shared.held_token();
        let state = shared.state();
        f.debug_struct("TokenSource")
            .field("source", &shared.grant.name())
            .field("grant", &shared.grant.grant_type())
            .field("stage", &state.renewal.stage(shared.clock.now()))
            .field("expires_at", &token.and_then(|token| token.expires_at))
            .field("failures", &state.renewal.failures())
            .field("failure", &state.failure)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(grant: Arc<dyn Grant>, clock: Clock) -> Self {
        metrics::describe();
        Self::told_with(grant, clock, Arc::default())
    }

    /// One of several whose failures are counted, and told of, as one's.
    pub(crate) fn told_with(grant: Arc<dyn Grant>, clock: Clock, failures: Arc<AtomicU32>) -> Self {
        let (held, state) = (ArcSwapOption::empty(), Mutex::default());
        let shared = Self { grant, clock, held, state, failures, outage: Outage::default() };
        if let Some(given) = shared.grant.given() {
            shared.succeed(given);
        }
        shared
    }

    #[inline]
    fn fresh(&self, now: SystemTime) -> Option<Arc<AccessToken>> {
        let held = self.held.load();
        let held = held.as_ref()?;
        held.quiet.contains(&now).then(|| Arc::clone(&held.token))
    }

    /// Waits as long as an answer may take. None if the flight ended without an outcome.
    async fn wait(&self, flight: Flight<Outcome>) -> Option<Outcome> {
        let limit = self.grant.timeout();
        let landed = flight.result();
        let timeout = || Some(Err(HttpError::Timeout(limit).into()));
        let outcome = self.clock.timeout(limit, landed).await.unwrap_or_else(timeout)?;
        Some(outcome.or_else(|error| self.valid().ok_or(error)))
    }

    /// The token that is held, if it may be sent for want of another one.
    fn valid(&self) -> Option<Arc<AccessToken>> {
        let is_valid = self.state().renewal.is_valid(self.clock.now());
        self.held_token().filter(|_| is_valid)
    }

    fn held_token(&self) -> Option<Arc<AccessToken>> {
        self.held.load().as_ref().map(|held| Arc::clone(&held.token))
    }

    /// A token came.
    fn succeed(&self, granted: Granted) -> Arc<AccessToken> {
        let now = self.clock.now();
        let life = granted.life;
        let mut state = self.state();
        let before = self.held_token().filter(|held| granted.is(held));
        let token = match before {
            Some(token) => {
                state.renewal.confirm(life);
                token
            }
            None => Arc::new(granted.numbered(state.renewal.succeed(life))),
        };
        (state.flight, state.failure) = (None, None);
        let quiet = state.renewal.quiet(now);
        self.held.store(Some(Arc::new(Held { token: Arc::clone(&token), quiet })));
        token
    }

    /// None came.
    fn fail(&self, error: &TokenError) {
        let now = self.clock.now();
        let failure =
            Failure { is_permanent: error.is_permanent(), retry_after: error.retry_after() };
        let mut state = self.state();
        state.renewal.fail(now, failure, roll());
        (state.flight, state.failure) = (None, Some(error.clone()));
        self.publish(&state, now);
    }

    /// The renewal task was dropped.
    fn give_up(&self) {
        let mut state = self.state();
        state.renewal.give_up();
        state.flight = None;
        self.publish(&state, self.clock.now());
    }

    fn publish(&self, state: &State, now: SystemTime) {
        if let Some(token) = self.held_token() {
            self.held.store(Some(Arc::new(Held { token, quiet: state.renewal.quiet(now) })));
        }
    }

    /// Never across an await. Decisions leave the state whole, whatever panics around them.
    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    fn tell(&self, outcome: &Outcome) {
        let source = self.grant.name();
        let grant = self.grant.grant_type();
        match outcome {
            Ok(token) => {
                self.failures.store(0, Relaxed);
                let expires_in = token.expires_at.map(|end| end.duration_since(self.clock.now()));
                let expires_in = expires_in.map(|left| left.unwrap_or_default().as_secs());
                metrics::token_renewed(source, "renewed");
                tracing::debug!(
                    target: "grpc_auth",
                    source, grant, expires_in_seconds = expires_in,
                    "token renewed"
                );
            }
            Err(error) => {
                let outcome = if error.is_permanent() { "refused" } else { "failed" };
                metrics::token_renewed(source, outcome);
                let consecutive = self.failures.fetch_add(1, Relaxed).saturating_add(1);
                let cause = error.source().map(|cause| Chain(cause).to_string());
                // A long outage is said ever more rarely; at debug, every time.
                if consecutive.is_power_of_two() {
                    tracing::warn!(
                        target: "grpc_auth",
                        source, grant, consecutive, %error, cause,
                        "a token could not be renewed"
                    );
                } else {
                    tracing::debug!(
                        target: "grpc_auth",
                        source, grant, consecutive, %error, cause,
                        "a token could not be renewed"
                    );
                }
            }
        }
    }
}

/// The task that gets the next token.
struct RenewalTask {
    shared: Arc<Shared>,
    landing: Landing<Outcome>,
    is_over: bool,
}

impl RenewalTask {
    async fn run(mut self) {
        let shared = &self.shared;
        let granted = caught(shared.grant.obtain(&shared.clock)).await;
        let granted = granted.unwrap_or(Err(TokenError::GivenUp));
        let outcome = match granted {
            Ok(granted) => Ok(shared.succeed(granted)),
            Err(error) => {
                shared.fail(&error);
                Err(error)
            }
        };
        shared.tell(&outcome);
        self.is_over = true;
        self.landing.announce(outcome);
    }
}

impl Drop for RenewalTask {
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.give_up();
        }
    }
}
