//! Futures that never wait.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What a future returns that has nothing to wait for, like a verification with keys that are given.
///
/// # Panics
/// When it waits.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
