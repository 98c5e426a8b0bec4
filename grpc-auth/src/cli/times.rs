//! Times, for people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first second of the year 10000.
const END_OF_9999: f64 = 253_402_300_800.0;

/// A NumericDate of RFC 7519 §2, if a calendar has it.
pub(crate) fn numeric_date(seconds: f64) -> Option<SystemTime> {
    (0.0..END_OF_9999).contains(&seconds).then(|| UNIX_EPOCH + Duration::from_secs_f64(seconds))
}

/// `Fri, 27 Nov 2026 19:40:00 GMT, in 59 minutes`.
pub(crate) fn in_words(time: SystemTime, now: SystemTime) -> String {
    let distance = match time.duration_since(now) {
        Ok(ahead) if ahead.as_secs() == 0 => "now".into(),
        Ok(ahead) => format!("in {}", duration(ahead)),
        Err(behind) if behind.duration().as_secs() == 0 => "now".into(),
        Err(behind) => format!("{} ago", duration(behind.duration())),
    };
    format!("{}, {distance}", httpdate::fmt_http_date(time))
}

/// The two largest units would be too exact: one is enough, rounded down.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_the_calendar_and_from_now() {
        let now = numeric_date(1_795_808_400.0).unwrap();
        let told = |seconds: f64| in_words(numeric_date(seconds).unwrap(), now);
        assert_eq!(told(1_795_808_400.5), "Fri, 27 Nov 2026 19:40:00 GMT, now");
        assert_eq!(told(1_795_808_399.5), "Fri, 27 Nov 2026 19:39:59 GMT, now");
        assert_eq!(told(1_795_808_401.0), "Fri, 27 Nov 2026 19:40:01 GMT, in 1 second");
        assert_eq!(told(1_795_812_000.0), "Fri, 27 Nov 2026 20:40:00 GMT, in 60 minutes");
        assert_eq!(told(1_795_722_000.0), "Thu, 26 Nov 2026 19:40:00 GMT, 24 hours ago");
        assert_eq!(told(0.0), "Thu, 01 Jan 1970 00:00:00 GMT, 20784 days ago");
        for beyond in [-1.0, f64::NAN, f64::INFINITY, 1e300, END_OF_9999] {
            assert!(numeric_date(beyond).is_none(), "{beyond}");
        }
        assert!(in_words(numeric_date(END_OF_9999 - 1.0).unwrap(), now).contains("9999"));
    }
}
