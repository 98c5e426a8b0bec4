//! Calls with tokens that are bound to their sender, over real sockets, and what is said of those
//! that are refused.

use std::time::{Duration, SystemTime};

use grpc_auth::testing::{ManualClock, TestAuthorizationServer, TestDpopKey};
use grpc_auth::{Dpop, ResourceServer, ResourceServerBuilder};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::kinds::Counting;
use crate::logs::Logs;
use crate::pb::kit::Word;
use crate::pb::kit::kinds_client::KindsClient;

/// Where clients find the service.
pub const ORIGIN: &str = "https://echo.example.com";
/// The address of the method that is called.
pub const UNARY: &str = "https://echo.example.com/kit.v1.Kinds/Unary";

/// A protected service on a port, and a client's key.
#[derive(Debug)]
pub struct Doors {
    /// The authorization server.
    pub issuer: TestAuthorizationServer,
    /// The client's key.
    pub key: TestDpopKey,
    /// The resource server.
    pub auth: ResourceServer,
    /// Counts the calls that were let in.
    pub handlers: Counting,
    client: KindsClient<Channel>,
}

impl Doors {
    /// Starts a server that checks proofs so.
    pub async fn start(dpop: Dpop) -> Self {
        Self::with(|builder| builder.dpop(dpop)).await
    }

    /// Starts a server that is configured so, by a clock that stands at a whole second.
    pub async fn with(
        configure: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder,
    ) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(now));
        let issuer = TestAuthorizationServer::start_with_clock(clock).await.unwrap();
        let auth = configure(issuer.resource_server()).build().await.unwrap();
        let handlers = Counting::default();
        let client = KindsClient::new(crate::serve(auth.protect(handlers.clone())).await);
        Self { key: issuer.dpop_key(), issuer, auth, handlers, client }
    }

    /// Calls over this connection from now on.
    pub fn connect(&mut self, channel: Channel) {
        self.client = KindsClient::new(channel);
    }

    /// A token that is bound to the client's key.
    #[must_use]
    pub fn token(&self) -> String {
        self.issuer.token().scopes(["read:word"]).bound_to_key(&self.key).sign()
    }

    /// A proof for a call with this token.
    #[must_use]
    pub fn proof(&self, token: &str) -> String {
        self.key.proof(UNARY, token).sign()
    }

    /// Calls with these credentials and these proofs.
    ///
    /// # Errors
    /// The refusal.
    pub async fn call(&self, authorization: &str, proofs: &[&str]) -> Result<(), Status> {
        let mut request = Request::new(Word::default());
        let metadata = request.metadata_mut();
        metadata.insert("authorization", authorization.parse().unwrap());
        for proof in proofs {
            metadata.append("dpop", proof.parse().unwrap());
        }
        self.client.clone().unary(request).await.map(|_| ())
    }

    /// Calls with a token and a proof under the scheme `DPoP`.
    ///
    /// # Errors
    /// The refusal.
    pub async fn prove(&self, token: &str, proof: &str) -> Result<(), Status> {
        self.call(&format!("DPoP {token}"), &[proof]).await
    }

    /// Expects a call to be refused so, for this cause in its log line.
    pub async fn refuses(
        &self,
        authorization: &str,
        proofs: &[&str],
        expected: Expected,
        cause: &str,
    ) {
        let before = self.handlers.reached_in_all();
        let logs = Logs::capture();
        let status = self.call(authorization, proofs).await.err();
        let status = status.unwrap_or_else(|| panic!("let in, expected {cause:?}"));
        let line = logs.line_with("call denied");
        assert!(line.contains(cause), "expected {cause:?} in {line}");
        assert_eq!(self.handlers.reached_in_all(), before);
        expected.check(&status, cause);
    }
}

/// The answer that a caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The proof is not one.
    Malformed,
    /// Something about the proof is wrong.
    Proof,
    /// A proof needs a nonce.
    Nonce,
    /// The token is wrong, or proves nothing here.
    Token,
    /// The token has expired.
    Expired,
    /// Proofs cannot be checked now.
    Unavailable,
    /// Another scheme than `Bearer` is not supported.
    Scheme,
}

impl Expected {
    fn check(self, status: &Status, case: &str) {
        let (code, reason, error) = match self {
            Self::Malformed => {
                (Code::Unauthenticated, "ACCESS_TOKEN_MALFORMED", "invalid_dpop_proof")
            }
            Self::Proof => (Code::Unauthenticated, "ACCESS_TOKEN_INVALID", "invalid_dpop_proof"),
            Self::Nonce => (Code::Unauthenticated, "DPOP_NONCE_REQUIRED", "use_dpop_nonce"),
            Self::Token => (Code::Unauthenticated, "ACCESS_TOKEN_INVALID", "invalid_token"),
            Self::Expired => (Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED", "invalid_token"),
            Self::Unavailable => (Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE", ""),
            Self::Scheme => (Code::Unauthenticated, "ACCESS_TOKEN_TYPE_UNSUPPORTED", ""),
        };
        let found = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
        assert_eq!((status.code(), &*found), (code, reason), "{case}: {status:?}");
        let retries = status.get_details_retry_info().and_then(|info| info.retry_delay);
        assert_eq!(retries.is_some(), self == Self::Unavailable, "{case}");
        assert_eq!(status.metadata().contains_key("dpop-nonce"), self == Self::Nonce, "{case}");
        let challenges = challenges(status.metadata());
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.starts_with(scheme));
        let is_of_proof = matches!(self, Self::Malformed | Self::Proof | Self::Nonce);
        if is_of_proof {
            assert_eq!(of("Bearer "), None, "{case}");
            assert!(of("DPoP ").is_some(), "{case}");
        }
        for challenge in &challenges {
            let names_error = challenge.contains(&format!(", error=\"{error}\""));
            assert_eq!(names_error, !error.is_empty(), "{case}: {challenge}");
            let names_algorithms = challenge.contains("algs=\"RS256 ");
            assert_eq!(names_algorithms, challenge.starts_with("DPoP realm=\""), "{case}");
        }
        assert_eq!(challenges.is_empty(), self == Self::Unavailable, "{case}");
    }
}

/// The challenges of a refusal.
#[must_use]
pub fn challenges(metadata: &MetadataMap) -> Vec<String> {
    let values = metadata.get_all("www-authenticate").iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}
