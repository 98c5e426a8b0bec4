//! One question about one token, for all who wait for its answer.

use std::sync::Arc;

use super::{Digest, Outcome, Shared};
use crate::bearer::BearerToken;

/// Leave to ask.
pub(super) struct Admitted;

/// A question under way; when it is over, however that came, another may be asked.
pub(super) struct Flight {
    pub(super) shared: Arc<Shared>,
    pub(super) digest: Digest,
}

impl Flight {
    /// Asks, unless a replica has.
    pub(super) async fn answer(
        &self,
        token: &BearerToken,
        expires_at: f64,
        admitted: Option<Admitted>,
    ) -> Outcome {
        let Self { shared, digest } = self;
        let admitted = match admitted {
            Some(admitted) => admitted,
            None => {
                #[cfg(feature = "redis")]
                if let Some(outcome) = shared.shared_answer(digest, expires_at).await {
                    return outcome;
                }
                shared.admit(&mut shared.asking(), shared.clock.moment())?
            }
        };
        let question = Asked { shared, _admitted: admitted };
        question.shared.put(digest, token, expires_at).await
    }
}

/// A question that counts; it ends when this is dropped.
struct Asked<'s> {
    shared: &'s Shared,
    _admitted: Admitted,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.shared.asking().questions -= 1;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.shared.asking().flights.remove(&self.digest);
    }
}
