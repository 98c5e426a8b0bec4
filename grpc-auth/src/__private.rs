//! What generated code may name. No part of the public interface: it changes without notice.

use std::marker::PhantomData;
use std::pin::Pin;
pub use std::sync::Arc;

use futures_core::Stream;

pub use tonic::server::NamedService;
use tonic::{Request, Response, Status, Streaming};

pub use crate::policy::rpc_kind::RpcKind;
use crate::policy::service_policy::PolicyEntry;
use crate::server::ProtectedService;

pub use crate::server::guard::{Admitted, FromCaller, Inject, InjectOptional, Refuse, enter};

/// Reads JSON that others wrote, as this crate does; an error names the member and holds no value.
#[cfg(feature = "cli")]
pub fn read_json<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    crate::json::read(json).map_err(|error| error.to_string())
}

/// The row of a method of the service `T`, found while compiling.
#[must_use]
#[expect(clippy::panic, reason = "it runs while compiling: a panic is a compile error")]
pub const fn row<S, T: ProtectedService<S>>(position: usize) -> PolicyEntry {
    match T::POLICY.row_of_method(position) {
        Some(row) => row,
        None => panic!("the table of the service has no row for the method"),
    }
}

/// A side of a method, by the type of its request or of what it returns. `Side::<T>::STREAMS` is one
/// of the constants below where `T`, whatever it is called, is the type of a stream; anything else
/// has the one of [`OneMessage`].
#[derive(Debug)]
pub struct Side<T>(PhantomData<T>);

/// A side that is no stream.
pub trait OneMessage {
    /// Whether it is one.
    const STREAMS: bool = false;
}

impl<T> OneMessage for Side<T> {}

impl<M> Side<Request<Streaming<M>>> {
    /// Whether it is one.
    pub const STREAMS: bool = true;
}

impl<S: Stream> Side<Result<Response<S>, Status>> {
    /// Whether it is one.
    pub const STREAMS: bool = true;
}

/// What `async_trait` makes of it.
type Boxed<S> = Pin<Box<dyn Future<Output = Result<Response<S>, Status>> + Send>>;

impl<S: Stream> Side<Boxed<S>> {
    /// Whether it is one.
    pub const STREAMS: bool = true;
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
    crate::policy::descriptor::check_descriptor(descriptor, service, rows);
}

/// Stands for an injected parameter in a method that does not compile for another reason.
#[must_use]
#[expect(clippy::unreachable, reason = "stands beside a compile error: it never runs")]
pub const fn unreachable<T>() -> T {
    unreachable!()
}
