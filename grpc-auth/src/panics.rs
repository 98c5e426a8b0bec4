//! Panics in code of the user's, on its way to being a refusal.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// It is said nowhere what with: the panic hook has.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Nothing of what panicked is looked at again.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(progress) => progress.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}
