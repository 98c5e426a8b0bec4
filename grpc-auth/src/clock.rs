//! Time as a dependency: everything that asks for it or waits for it does so here.

pub(crate) mod deadline;
pub(crate) mod jitter;
#[cfg(feature = "testing")]
pub(crate) mod manual;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[cfg(feature = "testing")]
use manual::ManualClock;

/// The clock that tokens are judged by and refreshes wait for.
///
/// The default is the system's; with the feature `testing` a `ManualClock` converts into one.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    #[cfg(feature = "testing")]
    Manual(ManualClock),
}

impl Clock {
    /// Asks the operating system.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The time of day.
    #[must_use]
    #[inline]
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Source::System => SystemTime::now(),
            #[cfg(feature = "testing")]
            Source::Manual(clock) => clock.now(),
        }
    }

    /// Waits until the clock has moved on by `duration`, counted from this call.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        #[cfg(feature = "testing")]
        let until = self.now() + duration;
        let source = self.0.clone();
        async move {
            match source {
                // By the monotonic clock: the time of day may be set.
                Source::System => tokio::time::sleep(duration).await,
                #[cfg(feature = "testing")]
                Source::Manual(clock) => clock.sleep_until(until).await,
            }
        }
    }

    /// Begins to measure how long something takes.
    pub(crate) fn stopwatch(&self) -> Stopwatch {
        match &self.0 {
            // By the monotonic clock: the time of day may be set.
            Source::System => Stopwatch::System(Instant::now()),
            #[cfg(feature = "testing")]
            Source::Manual(clock) => Stopwatch::Manual(clock.clone(), clock.now()),
        }
    }

    /// Waits until the clock shows `time`. If it was set back meanwhile it may show less: ask again.
    pub(crate) fn sleep_until(&self, time: SystemTime) -> impl Future<Output = ()> + Send + use<> {
        let source = self.0.clone();
        let remaining = time.duration_since(self.now()).unwrap_or_default();
        async move {
            match source {
                Source::System => tokio::time::sleep(remaining).await,
                #[cfg(feature = "testing")]
                Source::Manual(clock) => clock.sleep_until(time).await,
            }
        }
    }

    /// Gives up on something after `duration`, counted from this call.
    pub(crate) async fn timeout<T>(
        &self,
        duration: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut limit = pin!(self.sleep(duration));
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => limit.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// The time of day, in both forms.
    pub(crate) fn moment(&self) -> Moment {
        Moment::of(self.now())
    }
}

/// How long something takes.
#[derive(Debug)]
pub(crate) enum Stopwatch {
    System(Instant),
    #[cfg(feature = "testing")]
    Manual(ManualClock, SystemTime),
}

impl Stopwatch {
    pub(crate) fn elapsed(&self) -> Duration {
        match self {
            Self::System(since) => since.elapsed(),
            #[cfg(feature = "testing")]
            Self::Manual(clock, since) => clock.now().duration_since(*since).unwrap_or_default(),
        }
    }
}

/// One reading of the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) time: SystemTime,
    /// Since 1970: the NumericDate of RFC 7519 §2.
    pub(crate) seconds: f64,
}

impl Moment {
    pub(crate) fn of(time: SystemTime) -> Self {
        // Before 1970 every token is from the future, and refused.
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Self { time, seconds }
    }

    /// The seconds to the microsecond, which a number in JSON keeps exactly.
    pub(crate) fn to_microsecond(self) -> f64 {
        (self.seconds * 1e6).floor() / 1e6
    }
}

#[cfg(feature = "testing")]
impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self(Source::Manual(clock))
    }
}
