//! Panics in code of the user's, on its way to being a refusal.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// The panic hook has already reported the payload.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Nothing of what panicked is looked at again; nor is what it leaves behind, whenever that is
/// dropped.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = Dropped(Some(Box::pin(work)));
    poll_fn(|cx| {
        let Some(work) = &mut work.0 else { return Poll::Ready(Err(Panicked)) };
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(progress) => progress.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

/// Work that is dropped before its end, if it has to be.
struct Dropped<F>(Option<Pin<Box<F>>>);

impl<F> Drop for Dropped<F> {
    fn drop(&mut self) {
        let work = self.0.take();
        // The panic hook has reported it, and the waiting task has gone or has an answer.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(work)));
    }
}
