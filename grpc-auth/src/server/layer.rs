//! The tower layer.

use std::sync::Arc;

use tower_layer::Layer;

use super::ResourceServer;
use super::service::Protect;
use super::stream_expiry::StreamExpiry;
use crate::error::ConfigError;
use crate::policy::index::PolicyIndex;

/// Wraps services so that only permitted calls reach them; made by [`ResourceServer::layer`].
#[derive(Clone, Debug)]
pub struct ProtectLayer {
    auth: ResourceServer,
    policies: Arc<PolicyIndex>,
    stream_expiry: StreamExpiry,
}

impl ProtectLayer {
    pub(super) fn new(auth: ResourceServer, policies: Arc<PolicyIndex>) -> Self {
        Self { auth, policies, stream_expiry: StreamExpiry::default() }
    }

    /// Sets when the streams of the services below end, as
    /// [`Protect::stream_expiry`](Protect::stream_expiry) does.
    ///
    /// # Errors
    /// [`ConfigError::Setting`].
    pub fn stream_expiry(self, stream_expiry: StreamExpiry) -> Result<Self, ConfigError> {
        stream_expiry.check()?;
        Ok(Self { stream_expiry, ..self })
    }
}

impl<S> Layer<S> for ProtectLayer {
    type Service = Protect<S>;

    fn layer(&self, inner: S) -> Protect<S> {
        let (auth, policies) = (self.auth.clone(), Arc::clone(&self.policies));
        Protect::new(inner, auth, policies).ending(self.stream_expiry)
    }
}
