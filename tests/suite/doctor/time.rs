//! Those who answer late or never, and clocks that differ.

use std::net::SocketAddr;
use std::time::Duration;

use grpc_auth::doctor::{Doctor, Report};
use grpc_auth::testing::ManualClock;
use http::header::DATE;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::listeners::{SETTINGS, answer, be_silent, listen, read, response};
use super::{Pki, assert_found, over_tls};

const SECOND: Duration = Duration::from_secs(1);
/// What an examination may take, at most.
const WORST: Duration = Duration::from_secs(10);

fn took(report: &Report) -> Duration {
    report.steps().iter().map(|step| step.took).sum()
}

/// Lets what is ready to run do so, and asserts that it ends without more time.
async fn ends(examination: JoinHandle<Report>) -> Report {
    for _ in 0..10_000 {
        if examination.is_finished() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(examination.is_finished(), "it waits on");
    examination.await.unwrap()
}

#[tokio::test]
async fn an_address_that_swallows_packets_is_given_up_on() {
    // The queue of a listener that accepts nothing is full: further SYNs are dropped.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let fill: Vec<_> = (0..8)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address.into());
            socket
        })
        .collect();

    let clock = ManualClock::new();
    let doctor = Doctor::new(&format!("http://{address}")).unwrap().clock(clock.clone());
    let examination = tokio::spawn(async move { doctor.examine().await });
    let mut steps = 0;
    while !examination.is_finished() {
        tokio::task::yield_now().await;
        clock.advance(SECOND / 10);
        steps += 1;
        assert!(steps < 100_000);
    }
    let report = examination.await.unwrap();
    assert_found(&report, "timeout-connect", "not even a refusal", "firewalls");
    assert!(took(&report) < WORST, "{report}");
    drop(fill);
}

#[tokio::test]
async fn the_step_that_hangs_is_named() {
    let pki = Pki::new("The Authority");
    // Each takes its connection to where it hangs, and lets the time pass then.
    let clock = ManualClock::new();
    let hangs = |clock: &ManualClock| {
        let clock = clock.clone();
        move |mut stream: TcpStream| {
            let clock = clock.clone();
            async move {
                read(&mut stream).await;
                clock.advance(2 * SECOND);
                be_silent(stream).await;
            }
        }
    };
    let address = listen(hangs(&clock)).await;
    let report = over_tls(address, pki.client()).clock(clock.clone()).examine().await;
    assert_found(&report, "timeout-tls", "did not answer the TLS handshake", "write `http://");

    let plain = || Doctor::new(&format!("http://{address}")).unwrap().clock(clock.clone());
    let report = plain().examine().await;
    assert_found(&report, "timeout-http2", "said nothing", "(h2c)");
    assert_eq!(took(&report), 2 * SECOND);

    let silent = clock.clone();
    let address = listen(move |mut stream: TcpStream| {
        let clock = silent.clone();
        async move {
            read(&mut stream).await;
            stream.write_all(SETTINGS).await.unwrap();
            // The SETTINGS are acknowledged, and the call follows.
            let mut seen = read(&mut stream).await;
            while !seen.windows(8).any(|window| window == [0, 5, 0, 1, 0, 0, 0, 1])
                && seen.len() < 60
            {
                seen.extend(read(&mut stream).await);
            }
            clock.advance(2 * SECOND);
            be_silent(stream).await;
        }
    })
    .await;
    let doctor = Doctor::new(&format!("http://{address}")).unwrap().clock(clock.clone());
    let report = doctor.examine().await;
    assert_found(&report, "timeout-call", "did not answer the call", "backend");
}

#[tokio::test]
async fn a_step_has_the_time_that_was_set_and_no_more() {
    let clock = ManualClock::new();
    let (reached, mut hung) = tokio::sync::mpsc::channel(1);
    let address = listen(move |mut stream: TcpStream| {
        let reached = reached.clone();
        async move {
            read(&mut stream).await;
            reached.send(()).await.unwrap();
            be_silent(stream).await;
        }
    })
    .await;
    let doctor = Doctor::new(&format!("http://{address}")).unwrap().clock(clock.clone());
    let doctor = doctor.step_timeout(5 * SECOND);
    let examination = tokio::spawn(async move { doctor.examine().await });
    hung.recv().await.unwrap();
    clock.advance(4 * SECOND);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(!examination.is_finished());
    clock.advance(SECOND);
    let report = ends(examination).await;
    assert_found(&report, "timeout-http2", "said nothing", "");
}

#[tokio::test]
async fn an_examination_is_over_in_less_than_10_s_whatever_a_step_may_take() {
    let pki = Pki::new("The Authority");
    let clock = ManualClock::new();
    let (reached, mut hung) = tokio::sync::mpsc::channel(1);
    let config = pki.server(&["127.0.0.1"], -1, 60);
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let slow = clock.clone();
    let address = listen(move |stream: TcpStream| {
        let (reached, acceptor, clock) = (reached.clone(), acceptor.clone(), slow.clone());
        async move {
            clock.advance(8 * SECOND);
            let stream = acceptor.accept(stream).await.unwrap();
            reached.send(()).await.unwrap();
            be_silent(stream).await;
        }
    })
    .await;
    let doctor = over_tls(address, pki.client()).clock(clock.clone()).step_timeout(60 * SECOND);
    let examination = tokio::spawn(async move { doctor.examine().await });
    hung.recv().await.unwrap();
    // It has to get to its next step before the time for that passes.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    clock.advance(SECOND);
    let report = ends(examination).await;
    assert_eq!(report.diagnosis().code(), "timeout-http2", "{report}");
    assert!(took(&report) < WORST, "{report}");
}

#[tokio::test]
async fn a_slow_server_is_called_slow_with_the_step_that_was() {
    let clock = ManualClock::new();
    let slow = clock.clone();
    let address = listen(move |stream| {
        let clock = slow.clone();
        answer(stream, move |_| {
            clock.advance(SECOND + SECOND / 2);
            (response(200, &[("content-type", "application/grpc"), ("grpc-status", "0")]), b"")
        })
    })
    .await;
    let doctor = Doctor::new(&format!("http://{address}")).unwrap().clock(clock.clone());
    let report = doctor.examine().await;
    assert_found(&report, "slow", "the step `call` took 1.5 s", "overloaded");
    let report = doctor.slow_after(2 * SECOND).examine().await;
    assert_found(&report, "healthy", "(OK)", "");
}

#[tokio::test]
async fn clocks_that_differ_by_more_than_tokens_are_given_are_reported() {
    let grpc = [("content-type", "application/grpc"), ("grpc-status", "0")];
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let at = httpdate::parse_http_date(date).unwrap();
    let address = listen(move |stream| {
        answer(stream, move |_| {
            let mut response = response(200, &grpc);
            response.headers_mut().insert(DATE, date.parse().unwrap());
            (response, b"")
        })
    })
    .await;
    let doctor =
        |now| Doctor::new(&format!("http://{address}")).unwrap().clock(ManualClock::at(now));
    let report = doctor(at - 31 * SECOND).examine().await;
    assert_found(&report, "clock-skew", "31.0 s ahead of this machine's", "timedatectl");
    let report = doctor(at + 600 * SECOND).examine().await;
    assert_found(&report, "clock-skew", "10 min behind this machine's", "timedatectl");
    for close in [at - 30 * SECOND, at, at + 30 * SECOND] {
        assert_found(&doctor(close).examine().await, "healthy", "(OK)", "");
    }
}

#[tokio::test]
async fn a_second_question_has_its_time_too() {
    // It agrees on TLS without a protocol, and is silent to the next connection.
    let pki = Pki::new("The Authority");
    let mut config = pki.server(&["127.0.0.1"], -1, 60);
    config.alpn_protocols.clear();
    let clock = ManualClock::new();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let passing = clock.clone();
    let address = listen(move |mut stream: TcpStream| {
        let nth = connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (acceptor, clock) = (acceptor.clone(), passing.clone());
        async move {
            if nth == 0 {
                be_silent(acceptor.accept(stream).await.unwrap()).await;
            } else {
                read(&mut stream).await;
                clock.advance(2 * SECOND);
                be_silent(stream).await;
            }
        }
    })
    .await;
    let report = over_tls(address, pki.client()).clock(clock).examine().await;
    assert_found(&report, "alpn-missing", "(ALPN)", "alpn_protocols");
}
