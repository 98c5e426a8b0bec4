//! What went wrong, in words, and the exit code that goes with it.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use grpc_auth::ConfigError;
use grpc_auth::client::{TokenError, TokenErrorKind};
use serde_json::{Value, json};

/// How the program ends. The codes stand in its help, and scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    /// For no other reason of these: a file, the output, the machine.
    Failed,
    /// The command line or a setting cannot work. clap ends so, too.
    Usage,
    /// The token is rejected.
    Refused,
    /// The authorization server says no.
    Denied,
    /// The server does not answer: another time it may work.
    Unavailable,
    /// There is no login.
    LoginNeeded,
    /// A class of the doctor's, from 10 on.
    Diagnosed(u8),
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Denied => 4,
            Self::Unavailable => 5,
            Self::LoginNeeded => 6,
            Self::Diagnosed(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) help: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), help: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// With the error's text and those of its causes.
    pub(crate) fn of(exit: Exit, error: &dyn Error) -> Self {
        let chain = std::iter::successors(error.source(), |cause| (*cause).source());
        Self {
            causes: chain.map(ToString::to_string).collect(),
            ..Self::new(exit, error.to_string())
        }
    }

    /// What to do about it.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(crate) fn cause(mut self, cause: &dyn fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "error": self.message,
            "causes": self.causes,
            "help": self.help,
            "exit_code": self.exit.code(),
        })
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of(Exit::Usage, &error)
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let exit = match error.kind() {
            TokenErrorKind::Denied => Exit::Denied,
            TokenErrorKind::Unavailable => Exit::Unavailable,
            TokenErrorKind::Failed => Exit::Failed,
        };
        Self::of(exit, &error)
    }
}
