//! Devices that wait for a person.

use std::time::{Duration, SystemTime};

use super::grants::Grant;
use super::purpose::DeviceRequest;

/// A device that waits for a person.
pub(crate) struct Device {
    pub(crate) request: DeviceRequest,
    pub(crate) decision: Decision,
    pub(crate) interval: Duration,
    pub(crate) polled_at: Option<SystemTime>,
    pub(crate) expires_at: SystemTime,
}

pub(crate) enum Decision {
    Pending,
    Allowed(Grant),
    Denied,
    /// The tokens were fetched.
    Done,
}
