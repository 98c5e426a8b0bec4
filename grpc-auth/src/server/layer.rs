//! The tower layer.

use std::sync::Arc;

use tower_layer::Layer;

use super::ResourceServer;
use super::service::Protect;
use crate::policy::PolicyIndex;

/// Wraps services so that only permitted calls reach them; made by [`ResourceServer::layer`].
#[derive(Clone, Debug)]
pub struct ProtectLayer {
    auth: ResourceServer,
    policies: Arc<PolicyIndex>,
}

impl ProtectLayer {
    pub(super) fn new(auth: ResourceServer, policies: Arc<PolicyIndex>) -> Self {
        Self { auth, policies }
    }
}

impl<S> Layer<S> for ProtectLayer {
    type Service = Protect<S>;

    fn layer(&self, inner: S) -> Protect<S> {
        Protect::new(inner, self.auth.clone(), Arc::clone(&self.policies))
    }
}
