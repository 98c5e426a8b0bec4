//! Time as a dependency: everything that asks for it or waits for it does so here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(feature = "testing")]
use crate::testing::ManualClock;

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

    /// Seconds since 1970: the NumericDate of RFC 7519 §2.
    pub(crate) fn unix_seconds(&self) -> f64 {
        // Before 1970 every token is from the future, and refused.
        self.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }
}

#[cfg(feature = "testing")]
impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self(Source::Manual(clock))
    }
}
