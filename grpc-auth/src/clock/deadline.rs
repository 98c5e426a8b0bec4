//! The deadline of a call, which waiting for a token, or for what decides on one, is part of.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Clock, Stopwatch};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// So many digits may stand before the unit.
const MAX_DIGITS: usize = 8;

/// How long a call may take, if it says.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    headers.get(GRPC_TIMEOUT).and_then(read)
}

/// By when a call has to be answered, if it says.
#[derive(Debug)]
pub(crate) struct Deadline(Option<(Duration, Stopwatch)>);

impl Deadline {
    /// Of a call that begins now.
    pub(crate) fn of(headers: &HeaderMap, clock: &Clock) -> Self {
        Self(timeout(headers).map(|timeout| (timeout, clock.stopwatch())))
    }

    /// How much time is left; none if there is no deadline.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let (timeout, since) = self.0.as_ref()?;
        Some(timeout.saturating_sub(since.elapsed()))
    }

    /// Waits for work until this long before the deadline.
    pub(crate) async fn bound<T>(
        &self,
        clock: &Clock,
        lead: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        match self.remaining() {
            Some(remaining) => clock.timeout(remaining.saturating_sub(lead), work).await,
            None => Some(work.await),
        }
    }

    /// Writes the time that is left into the headers of a call to another service.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        if let (Some(remaining), Some(value)) = (self.remaining(), headers.get_mut(GRPC_TIMEOUT)) {
            *value = written(remaining);
        }
    }
}

/// The grammar of gRPC over HTTP/2: `TimeoutValue TimeoutUnit`.
fn read(value: &HeaderValue) -> Option<Duration> {
    let (number, unit) = value.to_str().ok()?.split_at_checked(value.len().checked_sub(1)?)?;
    if number.len() > MAX_DIGITS || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "n" => Duration::from_nanos(number),
        "u" => Duration::from_micros(number),
        "m" => Duration::from_millis(number),
        "S" => Duration::from_secs(number),
        "M" => Duration::from_secs(number * 60),
        "H" => Duration::from_secs(number * 60 * 60),
        _ => return None,
    })
}

/// In the finest unit that it fits in.
fn written(duration: Duration) -> HeaderValue {
    let most = 10_u128.pow(MAX_DIGITS as u32);
    let units = [
        (duration.as_nanos(), "n"),
        (duration.as_micros(), "u"),
        (duration.as_millis(), "m"),
        (u128::from(duration.as_secs()), "S"),
        (u128::from(duration.as_secs() / 60), "M"),
    ];
    let hours = (u128::from(duration.as_secs() / 3600).min(most - 1), "H");
    let (number, unit) = units.into_iter().find(|(number, _)| *number < most).unwrap_or(hours);
    // Digits and a letter always can stand in a header.
    HeaderValue::try_from(format!("{number}{unit}")).unwrap_or(HeaderValue::from_static("0n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for (text, seconds) in [
            ("1n", Some(1e-9)),
            ("99999999u", Some(99.999_999)),
            ("250m", Some(0.25)),
            ("3S", Some(3.0)),
            ("2M", Some(120.0)),
            ("1H", Some(3600.0)),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("+1S", None),
            ("-1S", None),
            ("1.5S", None),
            ("999999999n", None),
        ] {
            let value = HeaderValue::from_static(text);
            assert_eq!(read(&value).map(|read| read.as_secs_f64()), seconds, "{text}");
        }
        for (millis, text) in [
            (0, "0n"),
            (50, "50000000n"),
            (1_000, "1000000u"),
            (200_000, "200000m"),
            (200_000_000, "200000S"),
            (u64::MAX, "99999999H"),
        ] {
            assert_eq!(written(Duration::from_millis(millis)), text);
        }
    }
}
