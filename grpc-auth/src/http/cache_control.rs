//! How long an answer may be kept, in its own words (RFC 9111 §4.2, §5.2.2; RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime};

use http::header::{AGE, CACHE_CONTROL, HeaderMap, HeaderName, LAST_MODIFIED, RETRY_AFTER};

/// Longer than any pause an issuer asks for in earnest.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// What the headers of an answer say about its age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// For how long from now it may be kept; none if it does not say.
    pub(crate) max_age: Option<Duration>,
    /// How long ago it left the issuer, when a cache on the way says so.
    pub(crate) age: Duration,
    pub(crate) last_modified: Option<SystemTime>,
}

impl Freshness {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let age = text(headers, &AGE).and_then(seconds).unwrap_or_default();
        // A value may be spread over several header lines.
        let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        // RFC 9111 §4.2.1: of several, the most cautious.
        let max_age = values.filter_map(max_age_of).min();
        Self {
            max_age: max_age.map(|max_age| max_age.saturating_sub(age)),
            age,
            last_modified: text(headers, &LAST_MODIFIED)
                .and_then(|date| httpdate::parse_http_date(date).ok()),
        }
    }

    /// When the answer left the issuer.
    pub(crate) fn left_at(&self, now: SystemTime) -> SystemTime {
        now.checked_sub(self.age).unwrap_or(now)
    }
}

/// How long the issuer asks to be left alone: seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    let pause = seconds(value).or_else(|| {
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    })?;
    Some(pause.min(MAX_RETRY_AFTER))
}

/// `max-age`; what must not be stored or used again is treated as stale at once.
pub(crate) fn max_age_of(cache_control: &str) -> Option<Duration> {
    // A comma inside a quoted string divides it into pieces that are no directives we know, or that
    // make the answer older than it is: never fresher.
    let ages = cache_control.split(',').filter_map(|directive| {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            // RFC 9111 §5.2: the quoted form is to be understood as well; nonsense is stale.
            "max-age" => Some(seconds(argument.trim().trim_matches('"')).unwrap_or_default()),
            "no-store" | "no-cache" => Some(Duration::ZERO),
            _ => None,
        }
    });
    ages.min()
}

/// delta-seconds (RFC 9111 §1.2.2); too large a number is a large number.
fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_read_as_caches_read_it() {
        for (value, expected) in [
            ("max-age=60", Some(60)),
            ("public, max-age=60, must-revalidate", Some(60)),
            ("MAX-AGE=60", Some(60)),
            ("max-age=\"60\"", Some(60)),
            (" max-age = 60 ", Some(60)),
            ("max-age=60, max-age=30", Some(30)),
            ("max-age=99999999999999999999", Some(u64::from(u32::MAX))),
            ("max-age=60, no-cache", Some(0)),
            ("no-store", Some(0)),
            ("max-age=-1", Some(0)),
            ("max-age=1.5", Some(0)),
            ("max-age", Some(0)),
            ("x-max-age=60", None),
            ("s-maxage=60", None),
            ("public", None),
            ("", None),
            ("private=\"a, max-age=5\", max-age=60", Some(5)),
        ] {
            assert_eq!(max_age_of(value), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn what_a_cache_has_used_up_is_gone() {
        let of = |lines: &[(&'static str, &'static str)]| {
            let line = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), value.parse().unwrap())
            };
            Freshness::of(&lines.iter().map(line).collect())
        };
        let seconds = Duration::from_secs;
        let old = of(&[("cache-control", "max-age=100"), ("age", "40")]);
        assert_eq!((old.max_age, old.age), (Some(seconds(60)), seconds(40)));
        let split = of(&[("cache-control", "max-age=100"), ("cache-control", "max-age=50")]);
        assert_eq!(split.max_age, Some(seconds(50)));
        assert_eq!(of(&[("cache-control", "max-age=1"), ("age", "9")]).max_age, Some(seconds(0)));
        assert_eq!(of(&[("age", "x"), ("last-modified", "yesterday")]), Freshness::default());
        let dated = of(&[("last-modified", "Thu, 01 Jan 1970 00:01:40 GMT")]);
        assert_eq!(dated.last_modified, Some(SystemTime::UNIX_EPOCH + seconds(100)));
    }

    #[test]
    fn an_issuer_is_left_alone_as_long_as_it_asks_and_no_longer_than_an_hour() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        for (value, expected) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("Thu, 01 Jan 1970 00:01:50 GMT", Some(10)),
            ("Thu, 01 Jan 1970 00:00:50 GMT", Some(0)),
            ("99999999", Some(3600)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
    }
}
