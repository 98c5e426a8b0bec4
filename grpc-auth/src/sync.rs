//! The synchronization primitives of the modules that are explored by `tests/models`, which replaces
//! this module by one on loom.

pub(crate) use std::sync::OnceLock;
pub(crate) use std::sync::atomic;

pub(crate) use arc_swap::{ArcSwapOption, Guard};
