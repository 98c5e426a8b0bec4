//! A clock that tests move.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

/// A clock that a test moves. Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use grpc_auth::testing::ManualClock;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), before + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// When the clock stopped; none if it runs along with the system's.
    stopped_at: Option<SystemTime>,
    moved: watch::Sender<Moved>,
}

/// How far it was moved, in each direction.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    forward: Duration,
    back: Duration,
}

impl ManualClock {
    /// Shows the present time and stands still.
    #[must_use]
    pub fn new() -> Self {
        Self::at(SystemTime::now())
    }

    /// Shows this time and stands still.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self::starting(Some(time))
    }

    /// Runs along with the system's clock; what it is advanced by comes on top.
    #[must_use]
    pub fn running() -> Self {
        Self::starting(None)
    }

    fn starting(stopped_at: Option<SystemTime>) -> Self {
        Self(Arc::new(Shared { stopped_at, moved: watch::Sender::default() }))
    }

    /// The time it shows.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        let Moved { forward, back } = *self.0.moved.borrow();
        self.0.stopped_at.unwrap_or_else(SystemTime::now) + forward - back
    }

    /// Moves on; tasks that waited for that time wake up, as soon as the runtime gets to them: what
    /// happens in the background takes some `tokio::task::yield_now().await`.
    pub fn advance(&self, duration: Duration) {
        self.0.moved.send_modify(|moved| moved.forward += duration);
    }

    /// Is set back, as clocks are that went wrong. Tasks that wait for a time wait longer.
    pub fn rewind(&self, duration: Duration) {
        self.0.moved.send_modify(|moved| moved.back += duration);
    }

    pub(crate) async fn sleep_until(&self, until: SystemTime) {
        let mut changes = self.0.moved.subscribe();
        while let Ok(remaining) = until.duration_since(self.now())
            && !remaining.is_zero()
        {
            let changed = changes.changed();
            if self.0.stopped_at.is_some() {
                // The sender lives in `self`: it cannot be gone.
                let _ = changed.await;
            } else {
                let _ = tokio::time::timeout(remaining, changed).await;
            }
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_the_time_it_is_set_to() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let clock = ManualClock::at(time);
        assert_eq!(clock.now(), time);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), time + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn sleepers_wake_when_their_time_is_reached_and_not_before() {
        let clock = ManualClock::new();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(clock.now() + Duration::from_secs(10)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
    }
}
