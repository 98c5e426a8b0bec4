//! What generated code may name. No part of the public interface: it changes without notice.

pub use std::sync::Arc;

pub use tonic::server::NamedService;

use crate::policy::Row;
use crate::server::ProtectedService;

pub use crate::server::guard::{Admitted, FromCaller, Inject, InjectOptional, Refuse, enter};

/// The row of a method of the service `T`, found while compiling.
#[must_use]
#[expect(clippy::panic, reason = "it runs while compiling: a panic is a compile error")]
pub const fn row<S, T: ProtectedService<S>>(position: usize) -> Row {
    match T::POLICY.row_of_method(position) {
        Some(row) => row,
        None => panic!("the table of the service has no row for the method"),
    }
}

/// Of the methods that `cfg` left for one RPC there is at most one.
#[track_caller]
pub const fn check_unique(rows: &[&str]) {
    assert!(
        rows.len() < 2,
        "two methods of this impl have the same RPC, and no `cfg` removes one of them\n\nhelp: \
         tell them apart by `rpc = \"..\"` with the names in the `.proto` file"
    );
}

/// Compares the rows of a service with a descriptor, while compiling.
#[track_caller]
pub const fn check_descriptor(descriptor: &[u8], service: &str, rows: &[&str]) {
    crate::policy::check_descriptor(descriptor, service, rows);
}

/// Stands for an injected parameter in a method that does not compile for another reason.
#[must_use]
#[expect(clippy::unreachable, reason = "stands beside a compile error: it never runs")]
pub const fn unreachable<T>() -> T {
    unreachable!()
}
