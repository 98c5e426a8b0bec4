//! One question about one token, for all who wait for its answer.

use std::sync::Arc;

use super::{Digest, Outcome, Shared};
use crate::single_flight::{Flight, Landing};
use crate::token::bearer::BearerToken;

/// The place of a question among those that may be under way. It is given back when this is
/// dropped, also if the question was never asked.
pub(crate) struct Admitted {
    shared: Arc<Shared>,
    is_over: bool,
}

/// A question under way. It ends when this is dropped, with an outcome or without.
pub(crate) struct InFlight {
    shared: Arc<Shared>,
    digest: Digest,
    landing: Landing<Outcome>,
}

impl Admitted {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), is_over: false }
    }
}

impl InFlight {
    pub(crate) fn new(shared: &Arc<Shared>, digest: Digest) -> (Self, Flight<Outcome>) {
        let (flight, landing) = Flight::begin();
        (Self { shared: Arc::clone(shared), digest, landing }, flight)
    }

    pub(crate) async fn fly(self, token: BearerToken, expires_at: f64, admitted: Option<Admitted>) {
        let outcome = self.answer(&token, expires_at, admitted).await;
        self.landing.announce(outcome);
    }

    /// Asks, unless a replica has.
    async fn answer(
        &self,
        token: &BearerToken,
        expires_at: f64,
        admitted: Option<Admitted>,
    ) -> Outcome {
        let Self { shared, digest, .. } = self;
        let (mut admitted, is_shared) = match admitted {
            Some(admitted) => (admitted, false),
            None => {
                #[cfg(feature = "redis")]
                let is_shared = match shared.shared_answer(digest, expires_at).await {
                    Ok(outcome) => return outcome,
                    Err(has_entry) => has_entry,
                };
                #[cfg(not(feature = "redis"))]
                let is_shared = false;
                (shared.admit(&mut shared.asking(), shared.clock.moment())?, is_shared)
            }
        };
        let outcome = shared.put(digest, token, expires_at, is_shared).await;
        admitted.is_over = true;
        outcome
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut asking = self.shared.asking();
        asking.questions -= 1;
        if !self.is_over {
            asking.circuit.undecided();
        }
    }
}

/// The callers that wait learn of it afterwards, when the landing is dropped: the next question is
/// a new one.
impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.asking().flights.remove(&self.digest);
    }
}
