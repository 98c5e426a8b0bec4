//! What the examples share: the Echo service that they protect, a REST API, and what they print.

pub mod echo;
pub mod report;
pub mod serve;
pub mod steps;
pub mod stock;
pub mod trial;
