//! The slow path of a call: it waits for keys, introspection, the replay store or the authorizer.

use std::time::Duration;

use http::Request;

use super::identity::{Identified, Unidentified, unproven};
use super::{Admission, Decided, Shared, denial};
use crate::clock::deadline::Deadline;
use crate::policy::denial::DenialReason;
use crate::server::audit::Denial;

/// tonic looks at the deadline too, and would drop the call without a word in the log: this is more
/// than timers are late by.
const LEAD: Duration = Duration::from_millis(5);

impl Shared {
    /// When the caller of a call gives up, if it says so (`grpc-timeout`).
    pub(in crate::server) fn deadline<B>(&self, request: &Request<B>) -> Deadline {
        Deadline::of(request.headers(), &self.auth.inner.settings.clock)
    }

    /// Decides on a call that has to wait, at its deadline at the latest.
    pub(in crate::server) async fn decide_later<B>(
        &self,
        request: &mut Request<B>,
        mut admission: Admission,
        deadline: Deadline,
    ) -> Decided {
        let clock = &self.auth.inner.settings.clock;
        loop {
            admission = match admission {
                Admission::Decided(decided) => return decided,
                Admission::Caller(unidentified) => {
                    let caller = self.identify_later(request, *unidentified);
                    let caller = deadline.bound(clock, LEAD, caller).await;
                    self.settle(request, caller.unwrap_or_else(|| Err(Box::new(too_late()))))
                }
                Admission::Authorizer(asking) => {
                    let answer = deadline.bound(clock, LEAD, asking).await;
                    return self.conclude(request, answer.unwrap_or_else(|| Err(too_late())));
                }
            };
        }
    }

    /// Waits for the verdict on the token, then for that on its proof.
    async fn identify_later<B>(
        &self,
        request: &mut Request<B>,
        unidentified: Unidentified,
    ) -> Identified {
        let (proof, caller) = match unidentified {
            Unidentified::Keys(verdict, scheme) | Unidentified::Introspection(verdict, scheme) => {
                let caller = verdict.await.map_err(denial)?;
                (self.prove(request, scheme, &caller)?, caller)
            }
            Unidentified::Proof(proof, caller) => (Some(proof), caller),
        };
        if let Some(proof) = proof {
            proof.await.map_err(|unproved| unproven(unproved, &caller))?;
        }
        Ok(caller)
    }
}

#[cold]
fn too_late() -> Denial {
    let cause = "the call's deadline (`grpc-timeout`) passed while it waited to be decided on";
    Denial::new(DenialReason::BackendUnavailable, cause)
}
