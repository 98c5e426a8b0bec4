//! From a host's name to a connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::diagnosis::Diagnosis;
use super::target::Target;
use crate::clock::Clock;
use crate::sanitize_untrusted::shown;

/// More addresses of a name are not tried.
const MAX_ADDRESSES: usize = 8;
/// Before the next address is tried beside the last one (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Asks which addresses a name has, with this port.
pub(crate) type Lookup = fn(String, u16) -> Found;
type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// As every program of this machine does.
pub(crate) fn lookup(host: String, port: u16) -> Found {
    Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
}

pub(crate) async fn resolve(target: &Target, lookup: Lookup) -> Result<Vec<SocketAddr>, Diagnosis> {
    if let Ok(address) = target.plain_host().parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    let found = lookup(target.plain_host().into(), target.port).await;
    let mut addresses: Vec<_> = found
        .map_err(|error| Diagnosis::NameNotFound { error: shown(error.to_string().as_bytes()) })?
        .into_iter()
        .take(MAX_ADDRESSES)
        .collect();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(Diagnosis::NameNotFound { error: "the name has no addresses".into() });
    }
    Ok(addresses)
}

/// The first of them that takes a connection. One that says no makes room for the next at once, one
/// that says nothing after its head start.
pub(crate) async fn connect(
    clock: &Clock,
    addresses: &[SocketAddr],
) -> Result<(TcpStream, SocketAddr), Diagnosis> {
    let mut waiting = addresses.iter().copied();
    let mut attempts = JoinSet::new();
    let mut failed = Vec::new();
    loop {
        let next = waiting.next();
        if let Some(address) = next {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        let done = match next {
            Some(_) => clock.timeout(HEAD_START, attempts.join_next()).await,
            None => Some(attempts.join_next().await),
        };
        match done {
            Some(Some(Ok((address, Ok(stream))))) => {
                // Small frames should not wait for one another; a socket that cannot is fine, too.
                let _ = stream.set_nodelay(true);
                return Ok((stream, address));
            }
            Some(Some(Ok((address, Err(error))))) => failed.push((address, error)),
            Some(Some(Err(_))) | None => {}
            Some(None) if next.is_none() => return Err(refusal(&failed)),
            Some(None) => {}
        }
    }
}

fn refusal(failed: &[(SocketAddr, io::Error)]) -> Diagnosis {
    if failed.iter().all(|(_, error)| error.kind() == io::ErrorKind::ConnectionRefused) {
        return Diagnosis::ConnectionRefused;
    }
    let errors: Vec<_> =
        failed.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    Diagnosis::Unreachable { error: shown(errors.join(", ").as_bytes()) }
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::doctor::Doctor;

    #[tokio::test]
    async fn a_name_server_that_does_not_answer_is_named() {
        let second = Duration::from_secs(1);
        // Whatever a step may take, it is less than ten seconds.
        for (timeout, limit) in [(2 * second, 2 * second), (60 * second, 9 * second)] {
            let clock = ManualClock::new();
            let doctor = Doctor::new("https://echo.example.com").unwrap().clock(clock.clone());
            let doctor = Doctor { lookup: |_, _| Box::pin(std::future::pending()), ..doctor };
            let doctor = doctor.step_timeout(timeout);
            let examination = tokio::spawn(async move { doctor.examine().await });
            for passed in [Duration::ZERO, limit - second] {
                clock.advance(passed);
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                }
                assert!(!examination.is_finished());
            }
            clock.advance(second);
            let report = examination.await.unwrap();
            let diagnosis = report.diagnosis();
            assert_eq!((diagnosis.code(), diagnosis.exit_code()), ("timeout-resolve", 11));
            assert!(
                report.cause().contains("did not say in time which address `echo.example.com`")
            );
            assert!(report.fix().unwrap().contains("/etc/resolv.conf"), "{report}");
            let steps: Vec<_> = report.steps().iter().map(|s| (s.passed, s.took)).collect();
            assert_eq!(steps, [(false, limit)]);
        }
    }

    #[tokio::test]
    async fn a_name_is_one_of_its_addresses_and_one_without_is_said_so() {
        let answers: [(Lookup, _); 3] = [
            (|_, port| Box::pin(async move { Ok(vec![([127, 0, 0, 1], port).into()]) }), None),
            (|_, _| Box::pin(async { Ok(Vec::new()) }), Some("no addresses")),
            (
                |_, _| Box::pin(async { Err(io::Error::other("no such name")) }),
                Some("no such name"),
            ),
        ];
        let target = Target::parse("http://echo.example.com:4000").unwrap();
        for (lookup, problem) in answers {
            match (resolve(&target, lookup).await, problem) {
                (Ok(found), None) => assert_eq!(found, [([127, 0, 0, 1], 4000).into()]),
                (Err(Diagnosis::NameNotFound { error }), Some(problem)) => {
                    assert!(error.contains(problem), "{error}");
                }
                (found, _) => panic!("{found:?}"),
            }
        }
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn an_address_that_refuses_makes_room_for_the_next_at_once() {
        let (gone, refusing) = listener().await;
        drop(gone);
        let (_listener, good) = listener().await;
        // Its clock stands still.
        let clock = Clock::from(ManualClock::new());
        let (_, address) = connect(&clock, &[refusing, good]).await.unwrap();
        assert_eq!(address, good);
        let refused = connect(&clock, &[refusing, refusing]).await.unwrap_err();
        assert_eq!(refused, Diagnosis::ConnectionRefused);
    }

    #[tokio::test]
    async fn an_address_that_is_silent_holds_up_the_next_for_its_head_start_and_no_longer() {
        // Its queue is full: further SYNs are dropped.
        let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        silent.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        silent.listen(0).unwrap();
        let dropping = silent.local_addr().unwrap().as_socket().unwrap();
        let fill: Vec<_> = (0..8)
            .map(|_| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                socket.set_nonblocking(true).unwrap();
                let _ = socket.connect(&dropping.into());
                socket
            })
            .collect();
        let (_listener, good) = listener().await;

        let manual = ManualClock::new();
        let clock = Clock::from(manual.clone());
        let connecting = tokio::spawn(async move { connect(&clock, &[dropping, good]).await });
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(!connecting.is_finished());
        manual.advance(HEAD_START);
        let (_, address) = connecting.await.unwrap().unwrap();
        assert_eq!(address, good);
        drop(fill);
    }
}
