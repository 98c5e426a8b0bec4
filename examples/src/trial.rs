//! Calling every method of Echo as one caller, and saying what came of it.

use std::collections::HashMap;
use std::str::FromStr;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt;

use crate::echo::pb::echo_client::EchoClient;
use crate::echo::pb::{EchoReply, EchoRequest};

/// The RPCs of Echo.
pub const METHODS: [&str; 5] = ["UnaryEcho", "Expand", "Collect", "Chat", "Ping"];

/// A caller, with a token or without.
#[derive(Clone)]
pub struct Caller {
    /// How the table names the caller.
    pub name: &'static str,
    authorization: Option<MetadataValue<Ascii>>,
}

/// What came of one call.
pub enum Outcome {
    /// The handler answered.
    Allowed,
    /// The call was refused.
    DenialReason {
        /// The gRPC status.
        code: tonic::Code,
        /// ErrorInfo's reason, if there is one.
        reason: String,
    },
}

impl Caller {
    /// A caller without a token.
    #[must_use]
    pub fn anonymous(name: &'static str) -> Self {
        Self { name, authorization: None }
    }

    /// A caller with this token.
    ///
    /// # Errors
    /// When the token cannot stand in metadata.
    pub fn with_token(
        name: &'static str,
        token: &str,
    ) -> Result<Self, <MetadataValue<Ascii> as FromStr>::Err> {
        let mut authorization: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
        authorization.set_sensitive(true);
        Ok(Self { name, authorization: Some(authorization) })
    }

    /// Calls the method and reads its answer to the end.
    ///
    /// # Errors
    /// When the answer is not what Echo was told, or its timestamp is missing.
    pub async fn call(&self, channel: &Channel, method: &str) -> Result<Outcome, String> {
        let mut echo = EchoClient::new(channel.clone());
        let said = ["hello", "world"].map(|word| EchoRequest { message: word.into() });
        let stream = tokio_stream::iter(said);
        let whole = EchoRequest { message: "hello world".into() };
        let replies = match method {
            "UnaryEcho" => echo.unary_echo(self.request(whole)).await.map(|r| vec![r.into_inner()]),
            "Expand" => match echo.expand(self.request(whole)).await {
                Ok(replies) => read(replies.into_inner()).await,
                Err(status) => Err(status),
            },
            "Collect" => echo.collect(self.request(stream)).await.map(|r| vec![r.into_inner()]),
            "Chat" => match echo.chat(self.request(stream)).await {
                Ok(replies) => read(replies.into_inner()).await,
                Err(status) => Err(status),
            },
            _ => echo.ping(self.request(())).await.map(|_| Vec::new()),
        };
        match replies {
            Ok(replies) => check(method, &replies).map(|()| Outcome::Allowed),
            Err(status) => Ok(Outcome::from(&status)),
        }
    }

    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }
}

impl Outcome {
    /// `OK`, or the gRPC status.
    #[must_use]
    pub fn status(&self) -> String {
        match self {
            Self::Allowed => "OK".into(),
            Self::DenialReason { code, .. } => format!("{code:?}"),
        }
    }

    /// ErrorInfo's reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Allowed => "",
            Self::DenialReason { reason, .. } => reason,
        }
    }
}

impl From<&Status> for Outcome {
    fn from(status: &Status) -> Self {
        let reason = match status.get_details_error_info() {
            Some(info) => info.reason,
            None => status.message().to_owned(),
        };
        Self::DenialReason { code: status.code(), reason }
    }
}

async fn read(mut replies: tonic::Streaming<EchoReply>) -> Result<Vec<EchoReply>, Status> {
    let mut read = Vec::new();
    while let Some(reply) = replies.message().await? {
        read.push(reply);
    }
    Ok(read)
}

/// A verdict counts only if the handler did its work.
fn check(method: &str, replies: &[EchoReply]) -> Result<(), String> {
    let expected: HashMap<_, &[&str]> = HashMap::from([
        ("UnaryEcho", &["hello world, "][..]),
        ("Expand", &["hello", "world"]),
        ("Collect", &["hello world"]),
        ("Chat", &["hello", "world"]),
        ("Ping", &[]),
    ]);
    let expected = expected.get(method).copied().unwrap_or_default();
    let as_told = replies.len() == expected.len()
        && replies.iter().zip(expected).all(|(reply, told)| reply.message.starts_with(told));
    if !as_told {
        return Err(format!("{method} answered {replies:?} instead of {expected:?}"));
    }
    match replies.iter().find(|reply| reply.timestamp.is_none()) {
        Some(_) => Err(format!("{method} answered without a timestamp")),
        None => Ok(()),
    }
}
