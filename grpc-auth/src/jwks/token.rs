//! The bearer token of requests for a key set.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use http::HeaderValue;

use crate::token::bearer::BearerToken;

/// A file that is longer than twice the longest token has none.
const MAX_FILE_BYTES: u64 = 32 * 1024;

/// A bearer token that is sent with requests for a key set (RFC 6750 §2.1), and to no other address
/// than that of the key set. It never shows itself: `Debug` is redacted.
///
/// ```
/// use grpc_auth::{BearerToken, JwksToken};
///
/// let token = JwksToken::fixed(BearerToken::parse("dGhlIHRva2Vu").unwrap());
/// assert_eq!(format!("{token:?}"), "Fixed([redacted])");
/// ```
#[derive(Clone)]
pub struct JwksToken(Kind);

#[derive(Clone)]
enum Kind {
    File(PathBuf),
    Fixed(BearerToken),
}

impl JwksToken {
    /// The token in this file, without the white space around it. The file is read for each
    /// request, so that a token that is rotated there is used.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// This token.
    #[must_use]
    pub const fn fixed(token: BearerToken) -> Self {
        Self(Kind::Fixed(token))
    }

    /// The value of the header `authorization`, or the file that holds no token and why.
    pub(super) async fn header_value(&self) -> Result<HeaderValue, (PathBuf, String)> {
        let path = match &self.0 {
            Kind::Fixed(token) => return Ok(token.header_value()),
            Kind::File(path) => path.clone(),
        };
        let reading = tokio::task::spawn_blocking({
            let path = path.clone();
            move || read(&path)
        });
        match reading.await {
            Ok(Ok(token)) => Ok(token.header_value()),
            Ok(Err(error)) => Err((path, error.to_string())),
            Err(_) => Err((path, "the runtime shuts down".into())),
        }
    }
}

fn read(path: &Path) -> io::Result<BearerToken> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    BearerToken::parse(text.trim_start_matches('\u{feff}').trim()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "it holds no token, or one that is too long")
    })
}

impl fmt::Debug for JwksToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(path) => f.debug_tuple("File").field(path).finish(),
            Kind::Fixed(_) => f.write_str("Fixed([redacted])"),
        }
    }
}
