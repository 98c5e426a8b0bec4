//! The token in a file that another program writes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::client::access_token::AccessToken;
use crate::client::error::TokenError;
use crate::client::renewal::Life;
use crate::client::source::grant::{Grant, Granted, LONGEST_WAIT, Obtaining};
use crate::clock::Clock;
use crate::clock::jitter::roll;
use crate::token::bearer::{BearerToken, MAX_TOKEN_BYTES};

/// What is read of a file: the longest token, and white space around it.
const MAX_FILE_BYTES: u64 = MAX_TOKEN_BYTES as u64 + 1024;

pub(crate) struct FileGrant(PathBuf);

impl FileGrant {
    /// Reads the token once, to find a mistake early.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        read(path)?;
        Ok(Self(path.into()))
    }

    async fn read_again(&self, clock: &Clock) -> Result<Granted, TokenError> {
        let asked_at = clock.now();
        let reading = tokio::task::spawn_blocking({
            let path = self.0.clone();
            move || read(&path)
        });
        let problem =
            |problem: String| TokenError::File { path: self.0.clone(), problem: problem.into() };
        let token = match clock.timeout(LONGEST_WAIT, reading).await {
            Some(Ok(read)) => read.map_err(|error| problem(error.to_string()))?,
            Some(Err(_)) => return Err(TokenError::GivenUp),
            None => return Err(problem("it cannot be read within 30 s".into())),
        };
        let token = AccessToken::bearer(token);
        let end = token.expires_at;
        if end.is_some_and(|end| end <= asked_at) {
            return Err(problem("the token in it has expired".into()));
        }
        Ok(Granted { life: Life::read(asked_at, end, roll()), token, is_reread: true })
    }
}

impl Grant for FileGrant {
    fn obtain<'a>(&'a self, clock: &'a Clock) -> Obtaining<'a> {
        Box::pin(self.read_again(clock))
    }

    fn name(&self) -> &str {
        "file"
    }
}

/// The token in a file, without the white space around it.
fn read(path: &Path) -> io::Result<BearerToken> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    let text = SecretString::from(text);
    BearerToken::parse(text.expose_secret().trim()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "it holds no token, or one of more than 64 KiB")
    })
}
