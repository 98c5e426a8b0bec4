//! Work that runs once for all callers that wait for its result.

use std::fmt;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;

use crate::lock::locked;

/// Runs work once for all callers that want its result at the same time.
///
/// The first caller leads: it runs its work in its own task. The others follow: they wait for the
/// leader's result. When a leader disappears without a result (its call was cancelled, its runtime
/// ended), a follower leads with its own work.
pub(crate) struct SingleFlight<T>(Mutex<Option<Flying<T>>>);

/// The result of the work under way; its sender is gone if the leader is.
type Flying<T> = watch::Receiver<Option<T>>;

enum Role<'f, T> {
    Leader(Leader<'f, T>),
    Follower(Flying<T>),
}

struct Leader<'f, T> {
    flight: &'f SingleFlight<T>,
    result: watch::Sender<Option<T>>,
}

impl<T: Clone> SingleFlight<T> {
    /// The result of this work, or of the same work that is under way. Work that is not needed is
    /// never polled.
    pub(crate) async fn join(&self, work: impl Future<Output = T>) -> T {
        loop {
            match self.role() {
                Role::Leader(leader) => {
                    let result = work.await;
                    leader.result.send_replace(Some(result.clone()));
                    return result;
                }
                Role::Follower(mut flying) => {
                    if let Ok(landed) = flying.wait_for(Option::is_some).await
                        && let Some(result) = &*landed
                    {
                        return result.clone();
                    }
                }
            }
        }
    }

    fn role(&self) -> Role<'_, T> {
        let mut flying = self.flying();
        match &*flying {
            Some(flying) => Role::Follower(flying.clone()),
            None => {
                let (result, receiver) = watch::channel(None);
                *flying = Some(receiver);
                Role::Leader(Leader { flight: self, result })
            }
        }
    }
}

impl<T> SingleFlight<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Never across an await.
    fn flying(&self) -> MutexGuard<'_, Option<Flying<T>>> {
        locked(&self.0)
    }
}

/// With a result or without: the next caller leads. The followers learn of it afterwards, when the
/// sender is dropped.
impl<T> Drop for Leader<'_, T> {
    fn drop(&mut self) {
        *self.flight.flying() = None;
    }
}

impl<T> fmt::Debug for SingleFlight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").field("is_flying", &self.flying().is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::task::{Context, Poll, Waker};

    use tokio::sync::oneshot;
    use tokio::task::{JoinSet, yield_now};

    use super::*;

    #[tokio::test]
    async fn work_runs_once_for_all_who_wait_and_again_for_those_who_come_later() {
        let (flight, runs) = (Arc::new(SingleFlight::new()), Arc::new(AtomicU32::new(0)));
        for round in 1..=2 {
            let mut callers = JoinSet::new();
            for _ in 0..60 {
                let (flight, runs) = (Arc::clone(&flight), Arc::clone(&runs));
                callers.spawn(async move {
                    flight
                        .join(async {
                            yield_now().await;
                            runs.fetch_add(1, Relaxed) + 1
                        })
                        .await
                });
            }
            assert_eq!(callers.join_all().await, vec![round; 60]);
        }
    }

    #[tokio::test]
    async fn a_follower_leads_when_the_leader_disappears() {
        let flight = Arc::new(SingleFlight::new());
        let (_never, held) = oneshot::channel::<()>();
        let leader = tokio::spawn({
            let flight = Arc::clone(&flight);
            async move {
                flight
                    .join(async {
                        let _ = held.await;
                        "the leader's"
                    })
                    .await
            }
        });
        yield_now().await;
        let mut followers = JoinSet::new();
        for _ in 0..8 {
            let flight = Arc::clone(&flight);
            followers.spawn(async move { flight.join(async { "a follower's" }).await });
        }
        yield_now().await;
        assert_eq!(followers.try_join_next().map(Result::unwrap), None);
        leader.abort();
        assert_eq!(followers.join_all().await, ["a follower's"; 8]);
    }

    #[test]
    fn a_leader_that_is_dropped_before_its_end_leaves_nothing_behind() {
        let flight = SingleFlight::new();
        let mut cx = Context::from_waker(Waker::noop());
        {
            let leader = pin!(flight.join(std::future::pending::<u8>()));
            assert!(leader.poll(&mut cx).is_pending());
        }
        let next = pin!(flight.join(async { 7 }));
        assert_eq!(next.poll(&mut cx), Poll::Ready(7));
    }
}
