//! Remote authorization: decisions that take more than the token says, made by a decision point
//! elsewhere.

use std::any::type_name;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderName, PROXY_AUTHORIZATION};
use http::{Request, Uri};
use tonic::metadata::MetadataMap;

use super::audit::Denial;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::panics::{Panicked, caught};
use crate::policy::denial::DenialReason;
use crate::policy::service_policy::PolicyEntry;
use crate::sanitize_untrusted::escape;
use crate::token::principal::Principal;

/// A decision point that answers for every call that the rules permit (XACML's PDP): a policy
/// engine, a relationship database, an AuthZEN service.
///
/// It is asked after the method's rule and before the message is read; `#[require]`s and the method
/// come after it. Its answers:
///
/// | answer | what the caller sees |
/// |---|---|
/// | `Ok(AccessDecision::Allow)` | the call goes on |
/// | `Ok(AccessDecision::Deny)` | PERMISSION_DENIED, PERMISSION_DENIED_BY_POLICY |
/// | `Err(_)`, or none within [`authorizer_timeout`](super::ResourceServerBuilder::authorizer_timeout) | UNAVAILABLE, AUTH_BACKEND_UNAVAILABLE, with RetryInfo |
/// | a panic | INTERNAL (with `panic = "abort"` the process ends) |
///
/// It does not get calls that are rejected anyhow, nor those of methods open to anyone, which have
/// nothing to decide. Answers are not remembered, and nothing limits how many are waited for: an
/// authorizer that needs a cache or a limit has its own. When a caller goes away, the future is
/// dropped.
///
/// A closure is an authorizer as well: [`ResourceServerBuilder::authorizer`] shows one.
///
/// ```
/// use grpc_auth::server::{AccessDecision, AccessRequest, Authorizer, AuthorizerError};
/// # struct Relations;
/// # impl Relations {
/// #     async fn holds(&self, who: &str, what: &str) -> Result<bool, std::io::Error> { Ok(who == "alice" && what == "Check") }
/// # }
///
/// struct ByRelation(Relations);
///
/// impl Authorizer for ByRelation {
///     async fn authorize(&self, request: AccessRequest) -> Result<AccessDecision, AuthorizerError> {
///         let who = request.principal().subject().unwrap_or_default();
///         Ok(match self.0.holds(who, request.rpc()).await? {
///             true => AccessDecision::Allow,
///             false => AccessDecision::Deny,
///         })
///     }
/// }
/// ```
///
/// [`ResourceServerBuilder::authorizer`]: super::ResourceServerBuilder::authorizer
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot decide on calls",
    note = "write `impl Authorizer for {Self}`, or a closure \
            `|request: AccessRequest| async move {{ Ok(AccessDecision::Deny) }}`"
)]
pub trait Authorizer: Send + Sync + 'static {
    /// Decides on one call.
    ///
    /// # Errors
    /// [`AuthorizerError`], into which every error converts: the call is neither allowed nor denied.
    fn authorize(
        &self,
        request: AccessRequest,
    ) -> impl Future<Output = Result<AccessDecision, AuthorizerError>> + Send;
}

impl<F, A> Authorizer for F
where
    F: Fn(AccessRequest) -> A + Send + Sync + 'static,
    A: Future<Output = Result<AccessDecision, AuthorizerError>> + Send,
{
    fn authorize(
        &self,
        request: AccessRequest,
    ) -> impl Future<Output = Result<AccessDecision, AuthorizerError>> + Send {
        self(request)
    }
}

/// What an [`Authorizer`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum AccessDecision {
    /// The call goes on to the method's requirements, and the method.
    Allow,
    /// The call is refused with PERMISSION_DENIED.
    Deny,
}

/// Why an [`Authorizer`] did not decide.
///
/// Every error converts into it, so that `?` works. What the error says is not kept, for it may hold
/// what belongs in no log, an address with a subject in it; the log has its type alone. An
/// authorizer that knows better writes a line of its own, or says [`AuthorizerError::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorizerError {
    cause: &'static str,
}

impl AuthorizerError {
    /// For a cause that is logged as it is, `"no policy is loaded"`.
    #[must_use]
    pub const fn new(cause: &'static str) -> Self {
        Self { cause }
    }
}

impl<E: std::error::Error> From<E> for AuthorizerError {
    fn from(_: E) -> Self {
        Self { cause: type_name::<E>() }
    }
}

/// A call that an [`Authorizer`] answers for.
///
/// It holds neither the token nor a proof that came with it, and not the message. `Debug` shows the
/// method and whose token it is.
#[derive(Clone)]
pub struct AccessRequest {
    uri: Uri,
    entry: PolicyEntry,
    principal: Principal,
    metadata: MetadataMap,
}

/// What proves who calls. The decision is about what was proved.
const CREDENTIALS: [HeaderName; 3] =
    [AUTHORIZATION, PROXY_AUTHORIZATION, HeaderName::from_static("dpop")];

impl AccessRequest {
    pub(super) fn new<B>(request: &Request<B>, entry: PolicyEntry, principal: &Principal) -> Self {
        let mut headers = request.headers().clone();
        for name in &CREDENTIALS {
            headers.remove(name);
        }
        Self {
            uri: request.uri().clone(),
            entry,
            principal: principal.clone(),
            metadata: MetadataMap::from_headers(headers),
        }
    }

    /// The path of the call, `/package.Service/Method`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The full name of the service, from the path.
    #[must_use]
    pub fn service(&self) -> &str {
        self.names().0
    }

    /// The name of the RPC, from the path.
    #[must_use]
    pub fn rpc(&self) -> &str {
        self.names().1
    }

    fn names(&self) -> (&str, &str) {
        let path = self.uri.path().trim_start_matches('/');
        path.split_once('/').unwrap_or((path, ""))
    }

    /// The entry of the table that let the caller in so far.
    #[must_use]
    pub fn entry(&self) -> PolicyEntry {
        self.entry
    }

    /// The caller, whose [claims](Principal::claims) are as typed as in a method.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What else the caller sent. None of it is verified.
    #[must_use]
    pub fn metadata(&self) -> &MetadataMap {
        &self.metadata
    }
}

impl fmt::Debug for AccessRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessRequest")
            .field("path", &escape(self.path()))
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<AccessDecision, AuthorizerError>> + Send>>;

/// An authorizer of any type.
trait Decide: Send + Sync {
    fn decide(self: Arc<Self>, request: AccessRequest) -> Answer;
}

impl<A: Authorizer> Decide for A {
    fn decide(self: Arc<Self>, request: AccessRequest) -> Answer {
        Box::pin(async move { self.authorize(request).await })
    }
}

impl fmt::Debug for dyn Decide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorizer")
    }
}

/// How a resource server's authorizer is configured.
#[derive(Debug, Default)]
pub(super) struct AuthorizerSettings {
    authorizers: Vec<Arc<dyn Decide>>,
    pub(super) timeout: Option<Duration>,
}

const TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

impl AuthorizerSettings {
    pub(super) fn add(&mut self, authorizer: impl Authorizer) {
        self.authorizers.push(Arc::new(authorizer));
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let require =
            |works, setting, help| ConfigError::require(works, "resource-server", setting, help);
        // One of them alone would be asked, and the others would protect nothing.
        let help = "it is set twice: ask both in one, and combine";
        require(self.authorizers.len() < 2, "authorizer", help)?;
        let Some(timeout) = self.timeout else { return Ok(()) };
        let help = "there is no authorizer: set `authorizer` too";
        require(!self.authorizers.is_empty(), "authorizer_timeout", help)?;
        let help = "an authorizer needs some time to answer: write 1 s or more";
        require(!timeout.is_zero(), "authorizer_timeout", help)?;
        let help = "callers are gone by then: write at most 30 s";
        require(timeout <= LONGEST_TIMEOUT, "authorizer_timeout", help)
    }

    pub(super) fn decision_point(self, clock: &Clock) -> Option<DecisionPoint> {
        let authorizer = self.authorizers.into_iter().next()?;
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        Some(DecisionPoint { authorizer, timeout, clock: clock.clone() })
    }
}

/// The authorizer of a resource server, and how long it is waited for.
#[derive(Debug)]
pub(crate) struct DecisionPoint {
    authorizer: Arc<dyn Decide>,
    timeout: Duration,
    clock: Clock,
}

impl DecisionPoint {
    pub(super) fn ask(&self, request: AccessRequest) -> Asking {
        let authorizer = Arc::clone(&self.authorizer);
        let (clock, timeout) = (self.clock.clone(), self.timeout);
        Box::pin(async move {
            // It is called in there as well: it may panic before it returns a future.
            let answer = caught(async { authorizer.decide(request).await });
            match clock.timeout(timeout, answer).await {
                Some(Ok(Ok(AccessDecision::Allow))) => Ok(()),
                Some(Ok(Ok(AccessDecision::Deny))) => {
                    Err(Denial::new(DenialReason::PolicyRefused, "the authorizer denies it"))
                }
                Some(Ok(Err(AuthorizerError { cause }))) => Err(Denial::new(
                    DenialReason::BackendUnavailable,
                    format!("the authorizer did not decide: {cause}"),
                )),
                Some(Err(Panicked)) => {
                    Err(Denial::new(DenialReason::PolicyPanicked, "the authorizer panicked"))
                }
                None => Err(Denial::new(
                    DenialReason::BackendUnavailable,
                    format!("the authorizer did not answer within {timeout:?}"),
                )),
            }
        })
    }
}

/// An authorizer's answer on its way. Dropping it drops the authorizer's future.
pub(super) type Asking = Pin<Box<dyn Future<Output = Result<(), Denial>> + Send>>;
