//! Logs, spans, metrics and health, and that no secret is in them.

mod documented;
pub(crate) mod exposure_walks;
mod health;
mod logging;
mod metrics;
mod secret_leaks;
