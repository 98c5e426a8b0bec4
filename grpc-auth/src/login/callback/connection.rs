//! One connection of a browser, or of another program that found the port.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::filter::{NotTheAnswer, Visit};
use super::{Event, Hit, Shared};
use crate::login::pages::Page;

const MAX_HEAD_BYTES: usize = 8 * 1024;
/// For a request's head, and again for what follows the response.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What a client may still send after it was answered.
const MAX_REST_BYTES: usize = 64 * 1024;

pub(crate) async fn serve(mut stream: TcpStream, shared: &Shared) {
    let clock = &shared.clock;
    let Some(head) = clock.timeout(TIMEOUT, read_head(&mut stream)).await else { return };
    let visit = match head {
        Ok(Some(head)) => shared.door.judge(&head),
        // It closed before it said anything, as browsers do with connections to spare.
        Ok(None) => return,
        Err(problem) => Err(problem),
    };
    match visit.and_then(|visit| shared.admit(visit)) {
        Ok(Visit::Start { .. }) => write(&mut stream, &shared.begin(), shared).await,
        Ok(Visit::Answer(answer)) => {
            let (page_sender, page) = oneshot::channel();
            let (written, on_written) = oneshot::channel();
            let hit = Hit { answer, page: page_sender, written: on_written };
            if shared.events.send(Event::Answered(hit)).await.is_ok()
                && let Ok(page) = page.await
            {
                write(&mut stream, &page, shared).await;
                let _ = written.send(());
            }
        }
        Err(problem) => {
            write(&mut stream, &shared.refuse(problem), shared).await;
            // The port goes with the login: not before the page is there.
            if problem == NotTheAnswer::OpenedTwice {
                let _ = shared.events.send(Event::OpenedTwice).await;
            }
        }
    }
    // A connection that is closed with bytes unread is reset, and the page may be lost with it.
    clock.timeout(TIMEOUT, drain(&mut stream)).await;
}

/// The head with the empty line at its end; nothing if the client sends nothing at all.
async fn read_head(stream: &mut TcpStream) -> Result<Option<Vec<u8>>, NotTheAnswer> {
    let mut head = Vec::with_capacity(2048);
    loop {
        let seen = head.len();
        // One byte more than fits, to know that it does not.
        let mut room = (&mut *stream).take((MAX_HEAD_BYTES + 1 - seen) as u64);
        match room.read_buf(&mut head).await {
            Ok(0) | Err(_) if seen == 0 => return Ok(None),
            Ok(0) | Err(_) => return Err(NotTheAnswer::HeadMalformed),
            Ok(_) => {}
        }
        // The empty line may begin in what was read before.
        let new = head.get(seen.saturating_sub(3)..).unwrap_or_default();
        if memchr::memmem::find(new, b"\r\n\r\n").is_some() {
            return Ok(Some(head));
        }
        if head.len() > MAX_HEAD_BYTES {
            return Err(NotTheAnswer::HeadTooLong);
        }
    }
}

async fn write(stream: &mut TcpStream, page: &Page, shared: &Shared) {
    let written = async {
        stream.write_all(&page.response()).await?;
        stream.shutdown().await
    };
    // The client is gone, or reads nothing: so there is no one to answer.
    let _ = shared.clock.timeout(TIMEOUT, written).await;
}

async fn drain(stream: &mut TcpStream) {
    let mut rest = stream.take(MAX_REST_BYTES as u64);
    let mut bytes = [0; 1024];
    while rest.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}
