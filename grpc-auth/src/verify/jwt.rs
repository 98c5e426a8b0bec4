//! Verifying a JWT access token (RFC 9068 §4, RFC 8725).

use std::sync::Arc;
use std::time::Duration;

use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span};

use super::Verdict;
use super::claims::TokenClaims;
use super::error::{VerifyErrorKind, VerifyFailure};
use super::token_cache::VerifiedTokens;
use super::trusted_issuer::{TrustedIssuer, deadline};
use crate::clock::Clock;
use crate::issuer::presets::provider::Seen;
use crate::jose::compact::Compact;
use crate::jose::error::JoseError;
use crate::jose::header::Header;
use crate::json;
use crate::json::node::Node;
use crate::jwks::lifecycle::Arrival;
use crate::jwks::source::{Missing, Waiting, Wanted};
use crate::metrics;
use crate::metrics::{Outcome, Timer, Verifications};
use crate::sanitize_untrusted::escape;
use crate::token::bearer::BearerToken;
use crate::token::caller::AuthenticatedCaller;
use crate::token::principal::{Principal, Validity, time_of};

/// Accepts tokens of the configured issuers made for this service.
#[derive(Debug)]
pub(crate) struct JwtVerifier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    issuers: Vec<TrustedIssuer>,
    audiences: Vec<String>,
    /// The names of the claims that some issuer needs.
    wanted: Vec<String>,
    /// Seconds by which clocks may differ.
    leeway: f64,
    clock: Clock,
    verified: VerifiedTokens,
    metrics: Verifications,
}

/// A token that is not accepted with the keys that are known now.
struct Rejected {
    refusal: VerifyFailure,
    /// Keys that could change that.
    missing: Option<MissingKeys>,
}

struct MissingKeys {
    /// The place of the issuer.
    issuer: usize,
    /// Of the keys before they were looked at.
    generation: u64,
    wanted: Wanted,
}

/// A token that waits for keys.
struct Unsettled {
    /// If they cannot be had.
    refusal: VerifyFailure,
    waiting: Waiting,
}

impl JwtVerifier {
    /// An issuer that stands for many decides only where no other one does.
    pub(crate) fn new(
        mut issuers: Vec<TrustedIssuer>,
        audiences: Vec<String>,
        wanted: Vec<String>,
        leeway: f64,
        clock: Clock,
        verified: VerifiedTokens,
    ) -> Self {
        issuers.sort_by_key(|issuer| issuer.settings.for_any_tenant);
        let metrics = Verifications::new();
        Self(Arc::new(Shared { issuers, audiences, wanted, leeway, clock, verified, metrics }))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn issuers(&self) -> &[TrustedIssuer] {
        &self.0.issuers
    }

    /// Whether this looks like a JWT of a configured issuer, and is verified here for better or
    /// worse.
    pub(crate) fn is_own(&self, token: &[u8]) -> bool {
        // Servers that read less strictly may take it for the token it was made of, and not say what
        // is checked here: type and binding.
        let is_respelt = || !self.0.issuers.is_empty() && looks_like_a_jwt(token);
        let Ok(compact) = Compact::parse(token) else { return is_respelt() };
        let claims = TokenClaims::parse(&compact.claims, &self.0.wanted);
        let Ok(claims) = claims else { return is_respelt() };
        let iss = claims.iss.as_deref().unwrap_or_default();
        self.0.issuers.iter().any(|issuer| issuer.issued(iss, &claims))
    }

    /// The caller of exactly these bytes, if they were verified before and that still holds. It takes
    /// no lock and waits for nothing.
    pub(crate) fn recall(&self, token: &[u8]) -> Option<AuthenticatedCaller> {
        self.0.verified.find(token, self.0.clock.now(), &self.0.issuers).map(remembered)
    }

    /// Verifies a token; at once if the keys that it takes are at hand.
    pub(crate) fn verify(&self, token: BearerToken) -> Verdict {
        let timer = Timer::start(&self.0.clock);
        let unsettled = match self.0.settle(&token, None) {
            Ok(result) => {
                self.0.metrics.end(&timer, outcome(&result));
                return Verdict::Known(result);
            }
            Err(unsettled) => *unsettled,
        };
        let shared = Arc::clone(&self.0);
        let span = debug_span!(target: "grpc_auth", "wait_for_keys", outcome = Empty);
        let waiting = async move {
            let result = shared.in_time(token, unsettled).await;
            metrics::verified_after_waiting(&timer, outcome(&result));
            Span::current().record("outcome", outcome(&result).as_str());
            result
        };
        Verdict::Pending(Box::pin(waiting.instrument(span)))
    }
}

impl Shared {
    /// Verifies with what is known now. Known keys are read from a snapshot: no lock, no waiting.
    fn attempt(&self, token: &BearerToken) -> Result<AuthenticatedCaller, Box<Rejected>> {
        let compact = Compact::parse(token.as_bytes()).map_err(|rejection| {
            let seen = Seen { is_no_jwt: true, ..Seen::default() };
            let hint = self.issuers.iter().find_map(|issuer| issuer.settings.hint(seen));
            let is_no_jwt = matches!(rejection, JoseError::Parts(_));
            VerifyFailure { hint: hint.filter(|_| is_no_jwt), ..rejection.into() }
        })?;
        let header = Header::parse(&compact.header).map_err(VerifyFailure::from)?;
        let claims = TokenClaims::parse(&compact.claims, &self.wanted)
            .map_err(|rejection| about(rejection, &header, None))?;
        let iss = claims.iss.as_deref().unwrap_or_default();
        let issuer = self.issuers.iter().position(|issuer| issuer.issued(iss, &claims));
        let Some((place, issuer)) =
            issuer.and_then(|place| Some((place, self.issuers.get(place)?)))
        else {
            let seen = Seen { unknown_issuer: Some(iss), ..Seen::default() };
            let hint = self.issuers.iter().find_map(|issuer| issuer.settings.hint(seen));
            let refusal = about(VerifyErrorKind::Issuer, &header, claims.iss.as_deref());
            return Err(VerifyFailure { hint, ..refusal }.into());
        };

        let now = self.clock.moment();
        let generation = issuer.keys.generation();
        let refuse = |rejection: VerifyErrorKind| {
            let seen = Seen {
                has_nonce: header.has_nonce,
                lacks_audience: rejection == VerifyErrorKind::Audience && claims.aud.is_empty(),
                reached_signature: rejection == VerifyErrorKind::Signature,
                ..Seen::default()
            };
            let hint = issuer.settings.hint(seen);
            VerifyFailure { hint, ..about(rejection, &header, Some(iss)) }
        };
        // Cheap checks before expensive ones; but that a token has expired is said only to
        // a caller that holds one of the issuer's.
        let verdict = issuer.check(&header, &claims, &self.audiences, now.seconds, self.leeway);
        if let Err(rejection) = &verdict
            && *rejection != VerifyErrorKind::Expired
        {
            return Err(refuse(rejection.clone()).into());
        }
        let genuine = match issuer.check_signature(&compact, &header, iss, now.time) {
            Ok(genuine) => genuine,
            Err(rejection) => {
                // Only a token that is plausible otherwise is worth a fetch.
                let is_plausible = verdict.is_ok()
                    && header.algorithm.makes_signatures_of(compact.signature.len());
                let wanted = wanted(&rejection, &header, &claims).filter(|_| is_plausible);
                let missing =
                    wanted.map(|wanted| MissingKeys { issuer: place, generation, wanted });
                return Err(Box::new(Rejected { refusal: refuse(rejection), missing }));
            }
        };
        verdict.map_err(refuse)?;
        let mut facts = issuer.facts(&claims).map_err(refuse)?;
        let longest = self.verified.max_age().unwrap_or_default();
        let deadline = deadline(claims.exp.unwrap_or_default(), now.time, longest, &genuine);
        let validity = Validity { deadline, issuer: place, standing: genuine.standing };
        drop(claims);
        facts.claims = compact.claims.into();
        let principal = Principal::verified(facts, Some(validity), Some(token.clone()));
        if deadline > now.time {
            self.verified.insert(&principal);
        }
        Ok(remembered(principal))
    }

    /// Verifies with what is known now, unless a fetch is worth to be waited for.
    fn settle(
        &self,
        token: &BearerToken,
        arrival: Option<Arrival>,
    ) -> Result<Attempt, Box<Unsettled>> {
        loop {
            let Rejected { refusal, missing } = match self.attempt(token) {
                Ok(caller) => return Ok(Ok(caller)),
                Err(rejected) => *rejected,
            };
            let Some(MissingKeys { issuer, generation, wanted }) = missing else {
                return Ok(Err(refusal));
            };
            let Some(issuer) = self.issuers.get(issuer) else { return Ok(Err(refusal)) };
            match issuer.keys.need(&wanted, generation, self.clock.now(), arrival) {
                // Keys that came since then cost no fetch.
                Missing::LookAgain => {}
                Missing::Wait(waiting) => return Err(Box::new(Unsettled { refusal, waiting })),
                Missing::Unknown => return Ok(Err(refusal)),
                Missing::Unavailable => return Ok(Err(refusal.without_keys())),
                Missing::Limited(wait) => return Ok(Err(refusal.limited(wait))),
            }
        }
    }

    /// Waits for keys as long as a call may.
    async fn in_time(&self, token: BearerToken, unsettled: Unsettled) -> Attempt {
        let Unsettled { refusal, waiting } = unsettled;
        let longest = waiting.longest;
        let in_time = self.clock.timeout(longest, self.wait_for_keys(token, waiting)).await;
        in_time.unwrap_or_else(|| Err(refusal.without_keys()))
    }

    /// Tries again whenever a fetch has ended, until it is clear that none will help.
    async fn wait_for_keys(&self, token: BearerToken, mut waiting: Waiting) -> Attempt {
        loop {
            waiting.finished.changed().await.ok();
            match self.settle(&token, Some(waiting.arrival)) {
                Ok(result) => return result,
                Err(unsettled) => waiting = unsettled.waiting,
            }
        }
    }
}

fn outcome(result: &Attempt) -> Outcome {
    match result {
        Ok(_) => Outcome::Valid,
        Err(refusal) => refusal.rejection.denied().into(),
    }
}

/// Whether a lenient server may read this as a JWT that is not encrypted: at least three parts, of
/// which the first begins a JSON object. An encrypted token (RFC 7516) is for the server that has its
/// key.
///
/// Lenient decoders skip bytes outside of the alphabet anywhere, take both alphabets, padding and
/// non-zero trailing bits. Lenient readers skip empty parts, and do not mind what follows on the third.
fn looks_like_a_jwt(token: &[u8]) -> bool {
    let mut parts =
        token.split(|byte| *byte == b'.').map(decode_leniently).skip_while(Vec::is_empty);
    let header = parts.next().unwrap_or_default();
    begins_an_object(&header) && parts.count() >= 2 && !is_encrypted(token)
}

/// What the letters of either base64 alphabet mean; all other bytes are skipped.
fn decode_leniently(part: &[u8]) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for letter in part {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.extend((bits >> held).to_le_bytes().first());
        }
    }
    bytes
}

/// Whether this is the beginning of an object in JSON, after white space or a byte order mark, in
/// UTF-8, UTF-16 or UTF-32.
fn begins_an_object(json: &[u8]) -> bool {
    const SKIPPED: &[u8] = b" \t\r\n\0\xef\xbb\xbf\xfe\xff";
    json.iter().find(|byte| !SKIPPED.contains(byte)) == Some(&b'{')
}

/// Whether this is an encrypted token in the strict sense (RFC 7516 §7.1): five parts, and a header
/// that says how it is encrypted. A lenient decoder may stop where another one goes on: what only one
/// of them takes for encrypted is not.
fn is_encrypted(token: &[u8]) -> bool {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let mut parts = token.split(|byte| *byte == b'.');
    let header = parts.next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header = header.unwrap_or_default();
    let says_how = json::read::<Node<'_>>(&header).is_ok_and(|header| header.has("enc"));
    says_how && parts.count() == 4
}

/// The principal of a JWT keeps its token.
fn remembered(principal: Principal) -> AuthenticatedCaller {
    AuthenticatedCaller::new(principal, None)
}

type Attempt = Result<AuthenticatedCaller, VerifyFailure>;

impl VerifyFailure {
    fn without_keys(self) -> Self {
        Self { rejection: VerifyErrorKind::KeysUnavailable, hint: None, ..self }
    }

    fn limited(self, wait: Duration) -> Self {
        Self { rejection: VerifyErrorKind::KeyFetchesLimited(wait), hint: None, ..self }
    }
}

impl From<VerifyFailure> for Box<Rejected> {
    fn from(refusal: VerifyFailure) -> Self {
        Self::new(Rejected { refusal, missing: None })
    }
}

/// Tokens without a key id share one in the count of what is unknown; no real one is that long.
const NO_KID: &str = "";

/// What a fetch could bring to change this rejection, if anything.
fn wanted(
    rejection: &VerifyErrorKind,
    header: &Header<'_>,
    claims: &TokenClaims<'_, '_>,
) -> Option<Wanted> {
    match rejection {
        VerifyErrorKind::KeysUnavailable => Some(Wanted::AnyKeys),
        VerifyErrorKind::KeyUnknown => Some(Wanted::Key {
            kid: header.kid.as_deref().unwrap_or(NO_KID).into(),
            // `iat` is in whole seconds as a rule: it may be up to one later.
            issued: claims.iat.map(|iat| time_of(iat + 1.0)),
        }),
        VerifyErrorKind::Signature | VerifyErrorKind::KeyUnfit => Some(Wanted::Replacement),
        _ => None,
    }
}

fn about(rejection: VerifyErrorKind, header: &Header<'_>, iss: Option<&str>) -> VerifyFailure {
    VerifyFailure {
        kid: header.kid.as_deref().map(escape),
        issuer: iss.map(escape),
        ..rejection.into()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    const JSON: &str = r#"{"alg":"ES256"}"#;

    #[test]
    fn what_a_lenient_server_may_read_as_a_jwt_looks_like_one() {
        let header = encode(JSON);
        let encrypted = encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
        let inside = |inserted: &str| {
            (0..=header.len())
                .map(|place| {
                    let (before, after) = header.split_at(place);
                    format!("{before}{inserted}{after}.e30.AA")
                })
                .collect::<Vec<_>>()
        };
        // Bytes outside of the alphabet: of token68, and all others.
        for skipped in ["~", "=", "==", "~=~", " ", "\t", "\r\n", "%", "*", "\u{e4}", "\0"] {
            for token in inside(skipped) {
                assert!(looks_like_a_jwt(token.as_bytes()), "{token:?}");
            }
        }
        for json in [
            "{}",
            " {}",
            "\t\r\n {\"alg\":\"none\"}",
            "{\t\"a\":1}",
            "{\n\"a\":1}",
            "{\r\"a\":1}",
            "{ \"a\":1}",
            "{\u{e4}",
            "{",
            "\u{feff}{}",
            "\0{\0}",
            "{\0}\0",
        ] {
            let token = format!("{}.e30.AA", encode(json));
            assert!(looks_like_a_jwt(token.as_bytes()), "{json:?}");
        }
        let utf_16 = [0xff, 0xfe, b'{', 0, b'}', 0];
        // In this place, the standard alphabet has another letter.
        let standard = encode("{\"a\":\"\u{3ff}\u{fff}?\"}").replace('-', "+").replace('_', "/");
        assert!(standard.contains(['+', '/']));
        for (what, token) in [
            ("UTF-16", format!("{}.e30.AA", encode(utf_16))),
            ("the standard alphabet", format!("{standard}.e30.AA")),
            ("trailing bits", format!("{}.e30.AA", encode("{}1").replace('x', "z"))),
            ("no signature", format!("{header}.e30.")),
            ("empty parts after it", format!("{header}.e30.AA...")),
            ("what follows on it", format!("{header}.e30.AA.rest")),
            ("empty parts before it", format!("..{header}.e30.AA")),
            ("skipped parts before it", format!("~.{header}.e30.AA")),
            // What one decoder stops before, and another reads as part of the header.
            ("`enc` behind a skipped byte", format!("{header}~AAImVuYyI.e30.AA")),
            ("the same in five parts", format!("{header}~AAImVuYyI.e30.AA.AA.AA")),
            ("encrypted, and respelt", format!("~{encrypted}=.AA.AA.AA.AA")),
            ("`enc` in three parts", format!("{}.e30.AA", encode(r#"{"enc":"A256GCM"}"#))),
        ] {
            assert!(looks_like_a_jwt(token.as_bytes()), "{what}: {token}");
        }
    }

    #[test]
    fn opaque_tokens_and_encrypted_ones_do_not() {
        let header = encode(JSON);
        let encrypted = encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
        for (what, token) in [
            ("nothing", String::new()),
            ("one part", header.clone()),
            ("two parts", format!("{header}.e30")),
            ("opaque", "dGhlIHRva2Vu".into()),
            ("opaque, with dots", "ya29.a0AfH6.SMBx.1".into()),
            ("an array", format!("{}.e30.AA", encode("[{}]"))),
            ("text", format!("{}.e30.AA", encode("\"{}\""))),
            ("encrypted", format!("{encrypted}..AA.AA.AA")),
            ("dots", "....".into()),
        ] {
            assert!(!looks_like_a_jwt(token.as_bytes()), "{what}: {token}");
        }
    }

    #[test]
    fn the_lenient_decoder_reads_what_is_strict_as_the_strict_one_does() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|n: u8| n.wrapping_mul(37) ^ length).collect();
            assert_eq!(decode_leniently(encode(&bytes).as_bytes()), bytes);
        }
    }
}
