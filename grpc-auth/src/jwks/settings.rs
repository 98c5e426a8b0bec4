//! How key sets are kept: every number by its name, with its default.

use std::time::Duration;

use super::set::MAX_KEYS;
use crate::error::ConfigError;

/// The shortest time that an issuer can ask for its keys to be kept.
const MIN_MAX_AGE: Duration = Duration::from_secs(60);
/// The longest.
const MAX_MAX_AGE: Duration = DAY;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than any of these settings is of use; time can be added without fear of its end.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// No fetch takes longer, whatever is configured.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

/// When the keys of the issuers are fetched again, and what an outage is allowed to last; set by
/// [`ResourceServerBuilder::key_sets`](crate::ResourceServerBuilder::key_sets).
///
/// ```
/// use std::time::Duration;
/// use grpc_auth::{RefreshMode, ResourceServer};
///
/// let builder = ResourceServer::oidc("https://issuer.example.com").audience("api").key_sets(
///     |key_sets| {
///         key_sets.refresh = RefreshMode::Every(Duration::from_secs(60 * 60));
///         key_sets.max_stale = Duration::from_secs(4 * 60 * 60);
///     },
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JwksSettings {
    /// How long a key set is fresh. Default 15 min, from a minute to a day. After that it serves
    /// while it is fetched again: the first call after an idle time is judged by the former set,
    /// which `RefreshMode::Eager` and `Every` avoid. A `Cache-Control: max-age` of the issuer's wins
    /// (RFC 9111 §5.2.2.1), from a minute to a day.
    pub fresh_for: Duration,
    /// What makes a refresh due. Default: use.
    pub refresh: RefreshMode,
    /// At which part of its freshness a key set is fetched again, so that it never goes stale while
    /// the issuer answers. Default 0.8, from 0.1 to 0.9, drawn anew from 10 % around it each time.
    pub refresh_ahead: f64,
    /// How long the last key set serves at least when the issuer does not answer, counted from
    /// when it was fetched; ten times its freshness if that is longer, but no more than a day (or
    /// this, if it is longer) beyond its freshness. Default 1 h, at least `fresh_for`: with the default
    /// `fresh_for`, keys serve for 2 h 30 min. After that, calls that need a token are answered
    /// UNAVAILABLE.
    pub max_stale: Duration,
    /// How long to wait for a connection. Default 2 s, at most `timeout`.
    pub connect_timeout: Duration,
    /// How long a fetch may take, with discovery and a retry. Default 5 s, at most 30 s.
    pub timeout: Duration,
    /// How long a call waits for keys before it is answered UNAVAILABLE; at most until its deadline
    /// (`grpc-timeout`). Default 5 s.
    pub wait: Duration,
    /// How many calls wait at a time; more are answered UNAVAILABLE at once. Default 1,024.
    pub max_waiting: usize,
    /// How many fetches unknown key ids can cause at once. Default 3, at least 1.
    pub unknown_key_burst: u32,
    /// After how long unknown key ids can cause one more. Default 30 s. Until then, calls with
    /// further unknown key ids are answered UNAVAILABLE, with the time that is left in RetryInfo:
    /// their tokens may be good.
    pub unknown_key_interval: Duration,
    /// How many key ids that were looked for in vain are remembered. Default 1,024.
    pub unknown_key_memory: usize,
    /// For how long each is remembered. Default 30 s. Tokens that were issued before the search are
    /// rejected without a fetch.
    pub unknown_key_forget: Duration,
    /// How often signatures that the key with the token's `kid` did not make can cause a fetch: once
    /// in this time. Default 5 min. So a key that was replaced under its key id is noticed.
    pub bad_signature_interval: Duration,
    /// How long to wait after a first failure; doubled with each further one, and drawn from zero
    /// up to that. Default 1 s.
    pub first_retry: Duration,
    /// The longest such pause. Default 60 s; without any usable key it is never longer than
    /// `first_retry`, so that the service is back as soon as its issuer is, unless the configuration
    /// is at fault.
    pub last_retry: Duration,
    /// How many keys a key set may hold. Default 1,000, from 1 to 10,000. A set with more is not used,
    /// nor is one longer than 1 MiB.
    pub max_keys: usize,
    /// After how long the issuer is asked again where its keys are. Default 24 h; also when they
    /// are not there (404, 410).
    pub rediscover: Duration,
}

/// What makes a refresh of a key set due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshMode {
    /// A call that comes late in the set's freshness: an idle server sends no requests.
    WhileInUse,
    /// The same moment, with calls or without.
    Eager,
    /// This much time since the last fetch, with calls or without, whatever `max-age` says. From a
    /// minute to a day.
    Every(Duration),
}

impl Default for JwksSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            fresh_for: seconds(15 * 60),
            refresh: RefreshMode::WhileInUse,
            refresh_ahead: 0.8,
            max_stale: seconds(60 * 60),
            connect_timeout: seconds(2),
            timeout: seconds(5),
            wait: seconds(5),
            max_waiting: 1024,
            unknown_key_burst: 3,
            unknown_key_interval: seconds(30),
            unknown_key_memory: 1024,
            unknown_key_forget: seconds(30),
            bad_signature_interval: seconds(5 * 60),
            first_retry: seconds(1),
            last_retry: seconds(60),
            max_keys: MAX_KEYS,
            rediscover: seconds(24 * 60 * 60),
        }
    }
}

impl JwksSettings {
    /// Settings that contradict each other would show in an outage, years later.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let require = |works, setting, help| ConfigError::require(works, "key-set", setting, help);
        let day = MIN_MAX_AGE..=MAX_MAX_AGE;
        require(day.contains(&self.fresh_for), "fresh_for", "write a time from a minute to a day")?;
        if let RefreshMode::Every(interval) = self.refresh {
            let help = "write `RefreshMode::Every` with a time from a minute to a day";
            require(day.contains(&interval), "refresh", help)?;
        }
        let is_part = (0.1..=0.9).contains(&self.refresh_ahead);
        require(is_part, "refresh_ahead", "write a part from 0.1 to 0.9")?;
        let is_in_time = !self.timeout.is_zero() && self.timeout <= LONGEST_TIMEOUT;
        require(is_in_time, "timeout", "write a time up to 30 s")?;
        let connects = !self.connect_timeout.is_zero() && self.connect_timeout <= self.timeout;
        let help = "write a time up to `timeout`; the default is 2 s";
        require(connects, "connect_timeout", help)?;
        require(
            self.latest_refresh(self.fresh_for) + self.timeout <= self.fresh_for,
            "refresh_ahead",
            "a refresh that begins so late ends after `fresh_for`: write a smaller part, a longer \
             `fresh_for`, or a shorter `timeout`",
        )?;
        require(
            self.max_stale >= self.fresh_for,
            "max_stale",
            "it is shorter than `fresh_for`, and until then the keys are fresh: write at least that",
        )?;
        for (setting, time) in [
            ("max_stale", self.max_stale),
            ("wait", self.wait),
            ("unknown_key_interval", self.unknown_key_interval),
            ("unknown_key_forget", self.unknown_key_forget),
            ("bad_signature_interval", self.bad_signature_interval),
            ("last_retry", self.last_retry),
            ("rediscover", self.rediscover),
        ] {
            require(time <= LONGEST, setting, "write at most 30 days")?;
        }
        let is_bounded = self.unknown_key_memory <= 1 << 20;
        require(is_bounded, "unknown_key_memory", "write at most 1,048,576")?;
        let help = "write 1 to 10,000; the default is 1,000";
        require((1..=10_000).contains(&self.max_keys), "max_keys", help)?;
        let bounds_fetches = "write more than zero: it bounds the fetches";
        require(!self.unknown_key_interval.is_zero(), "unknown_key_interval", bounds_fetches)?;
        require(!self.bad_signature_interval.is_zero(), "bad_signature_interval", bounds_fetches)?;
        let help = "write at least 1, or no sudden rotation is noticed";
        require(self.unknown_key_burst > 0, "unknown_key_burst", help)?;
        require(
            self.unknown_key_interval < self.freshness(None),
            "unknown_key_interval",
            "write less than the keys are fresh (`fresh_for`, or the interval of \
             `RefreshMode::Every`): that refreshes as well",
        )?;
        let retries = !self.first_retry.is_zero() && self.first_retry <= self.last_retry;
        require(retries, "first_retry", "write more than zero, and at most `last_retry`")
    }

    /// How long an answer is fresh.
    pub(crate) fn freshness(&self, max_age: Option<Duration>) -> Duration {
        match (self.refresh, max_age) {
            (RefreshMode::Every(interval), _) => interval,
            (_, Some(max_age)) => max_age.clamp(MIN_MAX_AGE, MAX_MAX_AGE),
            (_, None) => self.fresh_for,
        }
    }

    /// When it is to be fetched again; `roll` is drawn from 0 to 1.
    pub(super) fn refresh_after(&self, freshness: Duration, roll: f64) -> Duration {
        match self.refresh {
            RefreshMode::Every(interval) => interval,
            RefreshMode::WhileInUse | RefreshMode::Eager => {
                freshness.mul_f64(self.refresh_ahead * (0.9 + 0.2 * roll.clamp(0.0, 1.0)))
            }
        }
    }

    fn latest_refresh(&self, freshness: Duration) -> Duration {
        match self.refresh {
            // Here a set is as old as that and no older.
            RefreshMode::Every(_) => Duration::ZERO,
            RefreshMode::WhileInUse | RefreshMode::Eager => self.refresh_after(freshness, 1.0),
        }
    }

    /// Until when it serves if the issuer does not answer.
    pub(super) fn lifetime(&self, freshness: Duration) -> Duration {
        let longest = freshness + self.max_stale.max(DAY);
        (freshness * 10).max(self.max_stale).min(longest)
    }

    /// Whether refreshes come without calls.
    pub(super) fn is_eager(&self) -> bool {
        self.refresh != RefreshMode::WhileInUse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_named() {
        assert!(JwksSettings::default().check().is_ok());
        let seconds = Duration::from_secs;
        type Change = fn(&mut JwksSettings);
        let cases: [(&str, Change); 21] = [
            ("max_keys", |s| s.max_keys = 0),
            ("max_keys", |s| s.max_keys = 10_001),
            ("fresh_for", |s| s.fresh_for = Duration::from_secs(59)),
            ("fresh_for", |s| s.fresh_for = Duration::from_secs(86_401)),
            ("refresh", |s| s.refresh = RefreshMode::Every(Duration::from_secs(59))),
            ("refresh_ahead", |s| s.refresh_ahead = 0.91),
            ("refresh_ahead", |s| s.refresh_ahead = f64::NAN),
            ("refresh_ahead", |s| {
                (s.fresh_for, s.refresh_ahead, s.timeout) =
                    (Duration::from_secs(60), 0.85, Duration::from_secs(10));
            }),
            ("timeout", |s| s.timeout = Duration::from_secs(31)),
            ("connect_timeout", |s| s.connect_timeout = Duration::from_secs(6)),
            ("max_stale", |s| s.max_stale = Duration::from_secs(14 * 60)),
            ("max_stale", |s| s.max_stale = Duration::MAX),
            ("last_retry", |s| s.last_retry = Duration::MAX),
            ("unknown_key_memory", |s| s.unknown_key_memory = usize::MAX),
            ("unknown_key_interval", |s| s.unknown_key_interval = Duration::ZERO),
            ("bad_signature_interval", |s| s.bad_signature_interval = Duration::ZERO),
            ("bad_signature_interval", |s| s.bad_signature_interval = Duration::MAX),
            ("unknown_key_burst", |s| s.unknown_key_burst = 0),
            ("unknown_key_interval", |s| s.unknown_key_interval = Duration::from_secs(900)),
            ("first_retry", |s| s.first_retry = Duration::ZERO),
            ("first_retry", |s| s.first_retry = Duration::from_secs(61)),
        ];
        for (name, change) in cases {
            let mut settings = JwksSettings::default();
            change(&mut settings);
            match settings.check() {
                Err(ConfigError::Setting { of: "key-set", setting, .. }) => {
                    assert_eq!(setting, name)
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        let every = RefreshMode::Every(seconds(3600));
        assert!(JwksSettings { refresh: every, ..Default::default() }.check().is_ok());
    }

    #[test]
    fn max_age_wins_within_bounds_and_not_over_a_fixed_interval() {
        let seconds = Duration::from_secs;
        let settings = JwksSettings::default();
        for (max_age, fresh) in
            [(None, 900), (Some(0), 60), (Some(300), 300), (Some(u64::MAX), 86_400)]
        {
            assert_eq!(settings.freshness(max_age.map(seconds)), seconds(fresh), "{max_age:?}");
        }
        let every = RefreshMode::Every(seconds(3600));
        let hourly = JwksSettings { refresh: every, ..Default::default() };
        assert_eq!(hourly.freshness(Some(seconds(60))), seconds(3600));
        assert_eq!(hourly.refresh_after(seconds(3600), 0.3), seconds(3600));
        assert_eq!(settings.refresh_after(seconds(1000), 0.0), seconds(720));
        assert_eq!(settings.refresh_after(seconds(1000), 1.0), seconds(880));
        assert_eq!(settings.lifetime(seconds(900)), seconds(9000));
        assert_eq!(settings.lifetime(seconds(60)), seconds(3600));
        assert_eq!(settings.lifetime(seconds(86_400)), seconds(2 * 86_400));
    }
}
