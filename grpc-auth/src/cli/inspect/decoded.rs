//! What a token says, valid or not.

use std::time::SystemTime;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use grpc_auth::__private::read_json;
use serde_json::{Map, Value, json};

use crate::output::{FAINT, HEADING, NAME, styled};
use crate::printable::{compact, pretty, printable};
use crate::times::{in_words, numeric_date};

/// More forgiving than a verifier: it is to be seen what is wrong.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// Claims that are times (RFC 7519 §4.1, OpenID Connect Core §2).
const TIMES: [&str; 5] = ["exp", "nbf", "iat", "auth_time", "updated_at"];

/// A longer value is written over several lines.
const MAX_LINE: usize = 100;

pub(super) struct Decoded {
    header: Part,
    claims: Part,
    /// How many bytes it has; none if there is no third part.
    signature: Option<usize>,
    parts: usize,
}

enum Part {
    Object(Map<String, Value>),
    Unreadable(String),
    Missing,
}

impl Decoded {
    pub(super) fn of(token: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        // Of five parts the second is an encrypted key (RFC 7516 §7.1).
        let is_encrypted = parts.len() == 5;
        let header = match parts.as_slice() {
            // What has no dots is no header: it is the whole of an opaque token.
            [] | [_] => Part::Missing,
            [header, ..] => Part::of(header),
        };
        let claims = match parts.get(1) {
            Some(_) if is_encrypted => Part::Unreadable("it is encrypted (JWE)".into()),
            Some(claims) => Part::of(claims),
            None => Part::Missing,
        };
        let signature = parts.get(2).filter(|_| !is_encrypted);
        let signature = signature.map(|part| BASE64.decode(part).map_or(0, |bytes| bytes.len()));
        Self { header, claims, signature, parts: parts.len() }
    }

    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&Value> {
        self.header.get(name)
    }

    pub(super) fn to_json(&self, now: SystemTime) -> Value {
        let times: Map<String, Value> = TIMES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.time(name)?)))
            .map(|(name, time)| (name, in_words(time, now).into()))
            .collect();
        json!({
            "header": self.header.to_json(),
            "claims": self.claims.to_json(),
            "times": times,
            "signature_bytes": self.signature,
        })
    }

    pub(super) fn to_text(&self, now: SystemTime) -> String {
        if self.parts == 1 {
            return format!(
                "{}\n  It is opaque: nothing can be read in it, and only its authorization server \
                 knows what it is good for.\n",
                styled(HEADING, "No JWT"),
            );
        }
        let signature = match self.signature {
            Some(0) if self.parts == 3 => "empty, or not base64url".to_owned(),
            Some(bytes) => format!("{bytes} bytes, not shown"),
            None => "none".into(),
        };
        format!(
            "{}\n{}{}\n{}{}  {signature}\n",
            styled(HEADING, "Header"),
            self.header.to_text(|_| None),
            styled(HEADING, "Claims"),
            self.claims.to_text(|name| Some(in_words(self.time(name)?, now))),
            styled(HEADING, "Signature"),
        )
    }

    fn time(&self, name: &str) -> Option<SystemTime> {
        let known = TIMES.contains(&name).then(|| self.claim(name)).flatten();
        known.and_then(Value::as_f64).and_then(numeric_date)
    }
}

impl Part {
    fn of(part: &str) -> Self {
        let Ok(bytes) = BASE64.decode(part) else {
            return Self::Unreadable("it is not base64url".into());
        };
        match read_json(&bytes) {
            Ok(Value::Object(members)) => Self::Object(members),
            Ok(_) => Self::Unreadable("it is not a JSON object".into()),
            Err(problem) => Self::Unreadable(problem),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(members) => members.get(name),
            Self::Unreadable(_) | Self::Missing => None,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Object(members) => Value::Object(members.clone()),
            Self::Unreadable(_) | Self::Missing => Value::Null,
        }
    }

    /// One member a line, and a remark on it where there is one.
    fn to_text(&self, remark: impl Fn(&str) -> Option<String>) -> String {
        let members = match self {
            Self::Object(members) => members,
            Self::Unreadable(problem) => return format!("  (unreadable: {problem})\n"),
            Self::Missing => return "  (missing)\n".into(),
        };
        let names: Vec<String> = members.keys().map(|name| printable(name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().min(24);
        let mut text = String::new();
        for (name, (key, value)) in names.iter().zip(members) {
            let padding = " ".repeat(width.saturating_sub(name.chars().count()));
            let value = shown(value);
            text += &format!("  {}{padding}  {value}", styled(NAME, name));
            if let Some(remark) = remark(key) {
                text += &format!("  {}", styled(FAINT, format!("({remark})")));
            }
            text.push('\n');
        }
        text
    }
}

/// On its line, if that is not too long.
fn shown(value: &Value) -> String {
    let line = compact(value);
    if line.len() <= MAX_LINE { line } else { pretty(value).replace('\n', "\n  ") }
}
