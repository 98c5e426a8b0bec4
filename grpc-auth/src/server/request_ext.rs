//! Asking a request for its caller.

use http::Extensions;
use serde::de::DeserializeOwned;
use tonic::Status;
use tracing::error;

use super::audit::Denial;
use super::auth_context::AuthContext;
use super::challenge::Challenge;
use crate::metrics;
use crate::policy::denial::DenialReason;
use crate::token::bearer::BearerToken;
use crate::token::claims::Claims;
use crate::token::principal::Principal;

/// What a request behind a [`Protect`](crate::server::Protect) knows about its caller: for
/// `tonic::Request` in handlers and interceptors, and for `http::Request` in tower services.
///
/// ```
/// use grpc_auth::CallerExt;
/// # #[derive(serde::Deserialize)] struct Tenant { tenant: String }
///
/// fn greeting(request: &tonic::Request<String>) -> Result<String, tonic::Status> {
///     let claims = request.claims::<Tenant>()?;
///     Ok(format!("{} from {}", request.get_ref(), claims.tenant))
/// }
/// # #[cfg(feature = "testing")] {
/// # use grpc_auth::testing::{principal_with_claims, with_principal};
///
/// let caller = principal_with_claims(serde_json::json!({"tenant": "blue"}));
/// let request = with_principal(tonic::Request::new("hello".to_owned()), &caller);
/// assert_eq!(greeting(&request).unwrap(), "hello from blue");
///
/// let anonymous = tonic::Request::new("hello".to_owned());
/// assert!(greeting(&anonymous).is_err());
/// # }
/// ```
pub trait CallerExt: sealed::HasExtensions {
    /// The claims of the caller's token as a `T`, deserialized at most once per token and type.
    ///
    /// # Errors
    /// UNAUTHENTICATED for an anonymous caller; PERMISSION_DENIED when the claims do not fit `T`,
    /// with the path in the log; INTERNAL when the service is mounted without its layer.
    fn claims<T>(&self) -> Result<Claims<T>, Status>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let Some(call) = AuthContext::of(self.extensions_ref()) else {
            error!(
                target: "grpc_auth",
                "claims were asked for, but the service is mounted without its layer: mount it \
                 with `auth.protect(service)`"
            );
            metrics::denied(None, DenialReason::LayerMissing);
            return Err(DenialReason::LayerMissing.to_status(&Challenge::new("", false)));
        };
        let claims = match call.principal() {
            Some(principal) => principal.claims().map_err(Denial::from),
            None => Err(DenialReason::CredentialsMissing.into()),
        };
        claims.map_err(|denial| {
            let entry = call.decision().entry();
            denial.log(&entry.map(|entry| format!("/{entry}")).unwrap_or_default(), entry);
            denial.denied.to_status(&call.settings.challenge)
        })
    }

    /// The caller; none when anonymous.
    fn principal(&self) -> Option<&Principal> {
        AuthContext::of(self.extensions_ref())?.principal()
    }

    /// The caller's verified token; none when anonymous.
    fn bearer_token(&self) -> Option<&BearerToken> {
        AuthContext::of(self.extensions_ref())?.caller.as_ref()?.token()
    }
}

impl<R: sealed::HasExtensions> CallerExt for R {}

mod sealed {
    use super::Extensions;

    pub trait HasExtensions {
        fn extensions_ref(&self) -> &Extensions;
    }

    impl<M> HasExtensions for tonic::Request<M> {
        fn extensions_ref(&self) -> &Extensions {
            self.extensions()
        }
    }

    impl<B> HasExtensions for http::Request<B> {
        fn extensions_ref(&self) -> &Extensions {
            self.extensions()
        }
    }
}
