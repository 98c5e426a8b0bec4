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
use tokio::sync::watch;

use super::grant::{Grant, Granted};
use crate::client::access_token::AccessToken;
use crate::client::error::TokenError;
use crate::client::outage::{Chain, Outage};
use crate::client::renewal::{Answer, Failure, Renewal};
use crate::clock::Clock;
use crate::clock::jitter::roll;
use crate::http::error::HttpError;
use crate::lock::locked;
use crate::metrics;
use crate::panics::caught;

/// The tokens of one source.
pub(crate) struct Shared {
    grant: Arc<dyn Grant>,
    clock: Clock,
    held: ArcSwapOption<Held>,
    state: Mutex<State>,
    /// Failures in a row, of all sources that share the counter.
    failures: Arc<AtomicU32>,
    /// Whether calls have to do without a token.
    pub(crate) outage: Outage,
}

/// What a warm call looks at.
struct Held {
    token: Arc<AccessToken>,
    /// When it serves without a question.
    quiet: Range<SystemTime>,
}

struct State {
    renewal: Renewal,
    flight: Option<Flying>,
    /// Why there is no token.
    failure: Option<TokenError>,
}

/// How a flight ended.
type Outcome = Result<Arc<AccessToken>, TokenError>;
type Flying = watch::Receiver<Option<Outcome>>;

/// What a call that needs a token does.
enum Step {
    Over(Outcome),
    Wait(Flying),
}

impl Shared {
    pub(crate) fn new(grant: Arc<dyn Grant>, clock: Clock) -> Self {
        metrics::describe();
        Self::told_with(grant, clock, Arc::default())
    }

    /// One of several whose failures are counted, and told of, as one's.
    pub(crate) fn told_with(grant: Arc<dyn Grant>, clock: Clock, failures: Arc<AtomicU32>) -> Self {
        let state = State { renewal: Renewal::new(), flight: None, failure: None };
        let (held, state) = (ArcSwapOption::empty(), Mutex::new(state));
        let outage = Outage::default();
        let shared = Self { grant, clock, held, state, failures, outage };
        if let Some(given) = shared.grant.given() {
            shared.succeed(given);
        }
        shared
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn grant(&self) -> &Arc<dyn Grant> {
        &self.grant
    }

    pub(super) async fn token(self: &Arc<Self>) -> Outcome {
        if let Some(token) = self.fresh(self.clock.now()) {
            return Ok(token);
        }
        // Once more, if the renewal task is gone: its runtime ended, for example.
        for _ in 0..2 {
            match self.step() {
                Step::Over(outcome) => return outcome,
                Step::Wait(flight) => {
                    if let Some(outcome) = self.wait(flight).await {
                        return outcome;
                    }
                }
            }
        }
        Err(TokenError::GivenUp)
    }

    #[inline]
    pub(super) fn current(self: &Arc<Self>) -> Option<Arc<AccessToken>> {
        self.fresh(self.clock.now()).or_else(|| self.aged())
    }

    pub(super) fn reject(&self, token: &AccessToken) -> bool {
        if !self.grant.is_renewable() {
            return false;
        }
        let now = self.clock.now();
        let mut state = self.state();
        let may_try = state.renewal.reject(now, token.generation);
        self.publish(&state, now);
        may_try
    }

    #[inline]
    fn fresh(&self, now: SystemTime) -> Option<Arc<AccessToken>> {
        let held = self.held.load();
        let held = held.as_ref()?;
        held.quiet.contains(&now).then(|| Arc::clone(&held.token))
    }

    #[cold]
    fn aged(self: &Arc<Self>) -> Option<Arc<AccessToken>> {
        match self.step() {
            Step::Over(outcome) => outcome.ok(),
            Step::Wait(_) => None,
        }
    }

    fn step(self: &Arc<Self>) -> Step {
        let now = self.clock.now();
        let mut state = self.state();
        let answer = state.renewal.need(now);
        let begun = matches!(answer, Answer::Ask | Answer::ServeAndRenew).then(|| {
            let (sender, flight) = watch::channel(None);
            state.flight = Some(flight);
            self.publish(&state, now);
            sender
        });
        let step = match answer {
            Answer::Serve | Answer::ServeAndRenew => self.held_token().map(|t| Step::Over(Ok(t))),
            Answer::Wait | Answer::Ask => state.flight.clone().map(Step::Wait),
            Answer::Refuse => state.failure.clone().map(|error| Step::Over(Err(error))),
        };
        drop(state);
        if let Some(sender) = begun {
            Flight { shared: Arc::clone(self), sender, has_landed: false }.start();
        }
        // The renewal holds what is held here.
        step.unwrap_or(Step::Over(Err(TokenError::GivenUp)))
    }

    /// Waits as long as an answer may take. None if the flight ended without an outcome.
    async fn wait(&self, mut flight: Flying) -> Option<Outcome> {
        let limit = self.grant.timeout();
        let landed = async { flight.wait_for(Option::is_some).await.ok()?.clone() };
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

    pub(super) fn failure(&self) -> Option<TokenError> {
        self.state().failure.clone()
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

    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.clock.now();
        let token = self.held_token();
        let state = self.state();
        f.debug_struct("TokenSource")
            .field("source", &self.grant.name())
            .field("grant", &self.grant.grant_type())
            .field("stage", &state.renewal.stage(now))
            .field("expires_at", &token.and_then(|token| token.expires_at))
            .field("failures", &state.renewal.failures())
            .field("failure", &state.failure)
            .finish_non_exhaustive()
    }
}

/// A request for a token that is under way. All waiting calls share it, and may go away.
struct Flight {
    shared: Arc<Shared>,
    sender: watch::Sender<Option<Outcome>>,
    has_landed: bool,
}

impl Flight {
    /// Without a runtime it is over, and dropped.
    fn start(self) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.fly());
        }
    }

    async fn fly(mut self) {
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
        self.has_landed = true;
        self.sender.send_replace(Some(outcome));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.has_landed {
            self.shared.give_up();
        }
    }
}
