//! The tower layer.

use std::sync::Arc;

use tower_layer::Layer;

use super::admission::Shared;
use super::service::Protect;
use super::stream_expiry::StreamExpiry;
use crate::error::ConfigError;

/// Wraps services so that only permitted calls reach them; made by
/// [`ResourceServer::layer`](crate::ResourceServer::layer).
#[derive(Clone, Debug)]
pub struct ProtectLayer {
    shared: Arc<Shared>,
}

impl ProtectLayer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Sets when the streams of the services below end, as
    /// [`Protect::stream_expiry`](Protect::stream_expiry) does.
    ///
    /// # Errors
    /// [`ConfigError::Setting`].
    pub fn stream_expiry(self, stream_expiry: StreamExpiry) -> Result<Self, ConfigError> {
        Ok(Self { shared: self.shared.ending(stream_expiry)? })
    }
}

impl<S> Layer<S> for ProtectLayer {
    type Service = Protect<S>;

    fn layer(&self, inner: S) -> Protect<S> {
        Protect::new(inner, Arc::clone(&self.shared))
    }
}
