//! Ctrl-C, a terminal that is closed, or what tells a service to end.

use crate::failure::{Exit, Failure};

/// Waits for it.
pub(crate) struct End {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
}

#[cfg(unix)]
impl End {
    pub(crate) fn prepare() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};

        let listen = |kind| signal(kind).map_err(|error| Failure::of(Exit::Failed, &error));
        let (terminate, hangup) = (SignalKind::terminate(), SignalKind::hangup());
        Ok(Self {
            signals: [listen(terminate)?, listen(hangup)?, listen(SignalKind::interrupt())?],
        })
    }

    pub(crate) async fn wait(self) {
        let [mut terminate, mut hangup, mut interrupt] = self.signals;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl End {
    pub(crate) fn prepare() -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(crate) async fn wait(self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
