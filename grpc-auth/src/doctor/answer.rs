//! What an answer to the call means. Pure: no I/O, no clock.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, HeaderName, LOCATION, SERVER, WWW_AUTHENTICATE};

use super::diagnosis::Diagnosis;
use super::sanitize::title;
use crate::sanitize_untrusted::shown;

const GRPC: &str = "application/grpc";
const GRPC_WEB: &str = "application/grpc-web";

/// An answer, its beginning.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    /// Whether it is one of a gRPC server, or of a proxy that knows gRPC.
    pub(crate) fn is_grpc(&self) -> bool {
        let kind = self.content_type();
        !kind.starts_with(GRPC_WEB) && kind.starts_with(GRPC) && self.status == 200
    }

    pub(crate) fn is_grpc_web(&self) -> bool {
        self.content_type().starts_with(GRPC_WEB)
    }

    pub(crate) fn has_message(&self) -> bool {
        self.body.len() >= 5
    }

    /// Servers that refuse a content type, or a path by it, may like another one better.
    pub(crate) const fn may_want_another_content_type(&self) -> bool {
        matches!(self.status, 400 | 404 | 405 | 406 | 415)
    }

    pub(crate) fn diagnosis(&self) -> Diagnosis {
        if self.is_grpc() {
            let code = self.grpc_status();
            return Diagnosis::Healthy {
                grpc_status: code,
                message: self.field(&GRPC_MESSAGE).map(|m| shown(&percent_decoded(&m))),
                challenge: self.text(&WWW_AUTHENTICATE),
            };
        }
        if self.is_grpc_web() {
            return Diagnosis::GrpcWebOnly;
        }
        let server = self.text(&SERVER);
        let status = self.status;
        match status {
            300..=399 => Diagnosis::Redirect { status, location: self.text(&LOCATION) },
            401 | 407 => {
                Diagnosis::HttpUnauthorized { server, challenge: self.text(&WWW_AUTHENTICATE) }
            }
            403 => Diagnosis::HttpForbidden { server },
            404 => Diagnosis::HttpNotFound { server },
            500..=599 => Diagnosis::HttpServerError { status, server },
            200 if self.content_type().starts_with("text/html") => {
                Diagnosis::HtmlPage { title: title(&self.body), server }
            }
            _ => Diagnosis::NotGrpc {
                status,
                content_type: Some(shown(self.content_type().as_bytes())).filter(|t| !t.is_empty()),
                server,
            },
        }
    }

    /// How far the server's clock is ahead of this one, or behind. None below what an HTTP date can
    /// tell, or without one.
    pub(crate) fn skew(&self, now: SystemTime) -> Option<Skew> {
        let date = httpdate::parse_http_date(self.headers.get(DATE)?.to_str().ok()?).ok()?;
        let (ahead, by) = match date.duration_since(now) {
            Ok(by) => (true, by),
            Err(error) => (false, error.duration()),
        };
        Some(Skew { ahead, by })
    }

    fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn grpc_status(&self) -> Option<u32> {
        let value = self.field(&GRPC_STATUS)?;
        std::str::from_utf8(&value).ok()?.parse().ok()
    }

    fn text(&self, name: &HeaderName) -> Option<String> {
        Some(shown(self.headers.get(name)?.as_bytes()))
    }

    fn field(&self, name: &HeaderName) -> Option<Vec<u8>> {
        let value = self.headers.get(name).or_else(|| self.trailers.get(name))?;
        Some(value.as_bytes().to_vec())
    }
}

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The server's clock against this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skew {
    pub(crate) ahead: bool,
    pub(crate) by: Duration,
}

/// As gRPC encodes `grpc-message`. What is no encoding stays as it is.
fn percent_decoded(message: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if first == b'%' => {
                decoded.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        Answer { status, headers, ..Answer::default() }
    }

    #[test]
    fn a_grpc_answer_of_any_status_is_health() {
        let unimplemented = answer(
            200,
            &[
                ("content-type", "application/grpc+proto"),
                ("grpc-status", "12"),
                ("grpc-message", "no%20such"),
            ],
        );
        let Diagnosis::Healthy { grpc_status, message, challenge } = unimplemented.diagnosis()
        else {
            panic!("{unimplemented:?}")
        };
        assert_eq!((grpc_status, message.as_deref(), challenge), (Some(12), Some("no such"), None));
    }

    #[test]
    fn what_looks_like_grpc_and_is_not_is_told_apart() {
        let web =
            answer(200, &[("content-type", "application/grpc-web+proto"), ("grpc-status", "0")]);
        assert_eq!(web.diagnosis(), Diagnosis::GrpcWebOnly);
        // gRPC never answers with another HTTP status.
        let not = answer(503, &[("content-type", "application/grpc")]);
        assert_eq!(not.diagnosis().code(), "http-server-error");
        assert_eq!(
            answer(200, &[("content-type", "application/json")]).diagnosis().code(),
            "not-grpc"
        );
        assert_eq!(answer(200, &[]).diagnosis().code(), "not-grpc");
        assert_eq!(answer(204, &[("content-type", "text/html")]).diagnosis().code(), "not-grpc");
    }

    #[test]
    fn clocks_are_compared_in_both_directions() {
        let at = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let answer = answer(200, &[("date", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        let minute = Duration::from_secs(60);
        assert_eq!(answer.skew(at - minute), Some(Skew { ahead: true, by: minute }));
        assert_eq!(answer.skew(at + minute), Some(Skew { ahead: false, by: minute }));
        assert_eq!(super::Answer::default().skew(at), None);
    }

    #[test]
    fn a_message_is_decoded_as_far_as_it_is_encoded() {
        assert_eq!(percent_decoded(b"a%20b%zz%"), b"a b%zz%");
        assert_eq!(percent_decoded(b"%e2%82%ac"), "€".as_bytes());
    }
}
