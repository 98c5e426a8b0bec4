//! What an examination found.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::diagnosis::{Diagnosis, Stage};
use super::explanation::{Explanation, explain};
use super::target::Target;
use super::words::seconds;
use crate::tls::certificate::{CertificateFacts, date};

/// What the [`Doctor`](super::Doctor) found: for people by `Display`, for programs by its methods and
/// by serde. There is no token in it. What the server sent is shortened, and fit for a terminal.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    endpoint: String,
    healthy: bool,
    code: &'static str,
    exit_code: u8,
    cause: String,
    fix: Option<String>,
    facts: Diagnosis,
    steps: Vec<Step>,
    certificate: Option<CertificateFacts>,
    notes: Vec<String>,
}

/// One step, as it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// Whether it did what it should.
    pub passed: bool,
    /// What came of it.
    pub detail: String,
    /// How long it took; in JSON as `took_ms`.
    #[serde(rename = "took_ms", serialize_with = "as_milliseconds")]
    pub took: Duration,
}

impl Report {
    pub(crate) fn new(
        target: &Target,
        diagnosis: Diagnosis,
        steps: Vec<Step>,
        certificate: Option<CertificateFacts>,
        notes: Vec<String>,
    ) -> Self {
        let Explanation { cause, fix } = explain(&diagnosis, target);
        Self {
            endpoint: target.url(),
            healthy: diagnosis.is_healthy(),
            code: diagnosis.code(),
            exit_code: diagnosis.exit_code(),
            cause,
            fix,
            facts: diagnosis,
            steps,
            certificate,
            notes,
        }
    }

    /// The class, and the facts of this case.
    #[must_use]
    pub const fn diagnosis(&self) -> &Diagnosis {
        &self.facts
    }

    /// What is wrong, or that nothing is: one sentence.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> Option<&str> {
        self.fix.as_deref()
    }

    /// The steps, in their order, up to the one that failed.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The server's certificate, whether it was accepted or not.
    #[must_use]
    pub const fn certificate(&self) -> Option<&CertificateFacts> {
        self.certificate.as_ref()
    }

    /// What else was noticed.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The endpoint that was examined.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.endpoint)?;
        for Step { stage, passed, detail, took } in &self.steps {
            let mark = if *passed { "ok" } else { "FAIL" };
            let took = seconds(*took);
            writeln!(f, "  {mark:<4}  {stage:<8}  {took:>7}  {detail}")?;
        }
        if let Some(certificate) = &self.certificate {
            writeln!(f, "\n  certificate  {}", certificate.subject)?;
            writeln!(f, "  names        {}", certificate.names.join(", "))?;
            writeln!(f, "  issuer       {}", certificate.issuer)?;
            let (from, to) = (date(certificate.not_before), date(certificate.not_after));
            writeln!(f, "  valid        {from} - {to}")?;
        }
        writeln!(f, "\n{}: {}", self.code, self.cause)?;
        if let Some(fix) = &self.fix {
            writeln!(f, "fix: {fix}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

fn as_milliseconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}
