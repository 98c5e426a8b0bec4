//! How a server is called.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Unary; each connection keeps to one token.
    OneToken,
    /// Unary; another one of 1,024 tokens on every call.
    TokensInTurn,
    /// Ten messages a call; each connection keeps to one token.
    Streaming,
    /// Unary; no token comes twice.
    Distinct,
}

impl Mode {
    pub(crate) const ALL: [Self; 4] =
        [Self::OneToken, Self::TokensInTurn, Self::Streaming, Self::Distinct];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.to_string() == name)
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OneToken => "unary, one token per connection",
            Self::TokensInTurn => "unary, 1,024 tokens in turn",
            Self::Streaming => "10 streamed messages, one token per connection",
            Self::Distinct => "unary, another token on every call",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneToken => "one-token",
            Self::TokensInTurn => "1024-tokens",
            Self::Streaming => "streaming",
            Self::Distinct => "distinct",
        })
    }
}
