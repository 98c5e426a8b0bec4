//! The Echo service that the examples protect, and the table that they print.

pub mod echo;
pub mod report;
pub mod trial;
