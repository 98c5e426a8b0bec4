//! One examination, step by step.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Doctor;
use super::answer::Answer;
use super::connect::{connect, resolve};
use super::diagnosis::{Diagnosis, Stage};
use super::handshake::{H2, Handshake};
use super::http2::Http2;
use super::probe::{Ready, not_http2};
use super::report::{Report, Step};
use super::words::seconds;
use crate::clock::Stopwatch;
use crate::tls::certificate::CertificateFacts;
use crate::tls::client::ClientTls;

/// What all steps take together, at most.
const OVERALL: Duration = Duration::from_secs(9);
/// Clocks that differ by more make tokens fail, which are given that much (T9).
const LEEWAY: Duration = Duration::from_secs(30);
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 3600);

pub(crate) struct Visit<'a> {
    doctor: &'a Doctor,
    since: Stopwatch,
    steps: Vec<Step>,
    certificate: Option<CertificateFacts>,
    notes: Vec<String>,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(doctor: &'a Doctor) -> Self {
        let since = doctor.clock.stopwatch();
        Self { doctor, since, steps: Vec::new(), certificate: None, notes: Vec::new() }
    }

    pub(crate) async fn report(mut self) -> Report {
        // What stops an examination is what it finds.
        let mut diagnosis = self.examine().await.unwrap_or_else(|diagnosis| diagnosis);
        if let Some(token) = &self.doctor.token {
            diagnosis = diagnosis.without(token.expose_secret());
        }
        Report::new(&self.doctor.target, diagnosis, self.steps, self.certificate, self.notes)
    }

    async fn examine(&mut self) -> Result<Diagnosis, Diagnosis> {
        let doctor = self.doctor;
        let addresses = self.step(Stage::Resolve, resolve(&doctor.target, doctor.lookup)).await?;
        let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        self.passed(shown.join(", "));
        let (tcp, address) = self.step(Stage::Connect, connect(&doctor.clock, &addresses)).await?;
        self.passed(address.to_string());

        let ready = if doctor.target.tls {
            self.over_tls(tcp, address).await?
        } else {
            self.in_plaintext(tcp, address).await?
        };
        let answer = self.call(&ready).await?;
        Ok(self.verdict(&answer))
    }

    async fn over_tls(&mut self, tcp: TcpStream, address: SocketAddr) -> Result<Ready, Diagnosis> {
        let doctor = self.doctor;
        let tls = match &doctor.tls {
            Some(tls) => tls.clone(),
            None => match ClientTls::system() {
                Ok(tls) => tls,
                Err(_) => return self.step(Stage::Tls, async { Err(Diagnosis::NoRoots) }).await,
            },
        };
        // One offer, as gRPC clients make it.
        let mut handshake = self.step(Stage::Tls, doctor.handshake(tcp, &tls, &[H2])).await?;
        self.certificate = handshake.certificate();
        let version = handshake.version();
        let Some(stream) = handshake.take_http2() else {
            let found = self.without_http2(&handshake, address, &tls).await;
            return Err(self.fail(found));
        };
        self.passed(format!("{version}, h2"));
        if let Some(left) = self.certificate.as_ref().and_then(|c| c.remaining(&doctor.clock))
            && left < EXPIRES_SOON
        {
            self.notes.push(format!("the server's certificate expires in {}", seconds(left)));
        }
        match self.step(Stage::Http2, async { Ok(Http2::open(stream).await) }).await? {
            Ok(http2) => {
                self.passed("SETTINGS");
                Ok(Ready { http2, confidential: true, handshake: Some(handshake) })
            }
            Err(seen) => Err(self.fail(not_http2(&seen, Some(&handshake)))),
        }
    }

    /// Why there is no stream that HTTP/2 could begin on.
    async fn without_http2(
        &self,
        handshake: &Handshake,
        address: SocketAddr,
        tls: &ClientTls,
    ) -> Diagnosis {
        match &handshake.outcome {
            Err(error) if !handshake.no_protocol() => {
                let found = handshake.diagnosis(error, self.doctor.clock.now());
                // Nothing at all came back: it may be that plaintext is spoken there.
                match handshake.seen.bytes.is_empty() {
                    true => self.within(self.doctor.hung_up(address)).await.unwrap_or(found),
                    false => found,
                }
            }
            _ => {
                let found = self.within(self.doctor.other_protocol(address, tls)).await;
                found.unwrap_or(Diagnosis::AlpnMissing)
            }
        }
    }

    async fn in_plaintext(
        &mut self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Ready, Diagnosis> {
        match self.step(Stage::Http2, async { Ok(Http2::open(tcp).await) }).await? {
            Ok(http2) => {
                self.passed("SETTINGS");
                let confidential = self.doctor.target.loopback && address.ip().is_loopback();
                Ok(Ready { http2, confidential, handshake: None })
            }
            Err(seen) => {
                let mut found = not_http2(&seen, None);
                if seen.bytes.is_empty()
                    && self.within(self.doctor.speaks_tls(address)).await == Some(true)
                {
                    found = Diagnosis::TlsOnPlaintextPort;
                }
                Err(self.fail(found))
            }
        }
    }

    async fn call(&mut self, ready: &Ready) -> Result<Answer, Diagnosis> {
        let doctor = self.doctor;
        let mut token = doctor.token.as_ref().map(crate::token::bearer::BearerToken::header_value);
        if token.is_some() && !ready.confidential {
            token = None;
            self.notes.push(
                "the token was not sent: the connection is plaintext, and leaves this machine"
                    .into(),
            );
        }
        let request = doctor.request("application/grpc", token);
        let answered = async { Ok(doctor.answer(ready, request).await) };
        match self.step(Stage::Call, answered).await? {
            Ok(answer) => Ok(answer),
            Err(diagnosis) => Err(self.fail(diagnosis)),
        }
    }

    /// What an answer means, now.
    fn verdict(&mut self, answer: &Answer) -> Diagnosis {
        let found = answer.diagnosis();
        let skew = answer.skew(self.doctor.clock.now()).filter(|skew| skew.by > LEEWAY);
        if !found.is_healthy() {
            if let Some(skew) = skew {
                let direction = if skew.ahead { "ahead of" } else { "behind" };
                self.notes.push(format!(
                    "the server's clock is {} {direction} this machine's",
                    seconds(skew.by)
                ));
            }
            return self.fail(found);
        }
        self.passed(format!("{} answered", self.doctor.method));
        if let Some(skew) = skew {
            return Diagnosis::ClockSkew { server_ahead: skew.ahead, by: skew.by };
        }
        let slowest = self.steps.iter().max_by_key(|step| step.took);
        match slowest.filter(|step| step.took >= self.doctor.slow_after) {
            Some(step) => Diagnosis::Slow { stage: step.stage, took: step.took },
            None => found,
        }
    }
}

/// Steps and their time.
impl Visit<'_> {
    /// Takes a step, for as long as it may.
    async fn step<T>(
        &mut self,
        stage: Stage,
        work: impl Future<Output = Result<T, Diagnosis>>,
    ) -> Result<T, Diagnosis> {
        let watch = self.doctor.clock.stopwatch();
        let done = self.doctor.clock.timeout(self.limit(), work).await;
        let outcome = done.unwrap_or(Err(Diagnosis::Timeout { stage }));
        let took = watch.elapsed();
        self.steps.push(Step { stage, passed: outcome.is_ok(), detail: String::new(), took });
        outcome.map_err(|diagnosis| self.fail(diagnosis))
    }

    /// Something that only makes a finding more precise.
    async fn within<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.doctor.clock.timeout(self.limit(), work).await
    }

    fn limit(&self) -> Duration {
        self.doctor.step_timeout.min(OVERALL.saturating_sub(self.since.elapsed()))
    }

    fn passed(&mut self, detail: impl Into<String>) {
        if let Some(step) = self.steps.last_mut() {
            step.detail = detail.into();
        }
    }

    /// The last step is the one that failed.
    fn fail(&mut self, diagnosis: Diagnosis) -> Diagnosis {
        if let Some(step) = self.steps.last_mut() {
            step.passed = false;
            step.detail = diagnosis.code().into();
        }
        diagnosis
    }
}
