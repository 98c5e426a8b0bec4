//! The doors: each kind of document that others write, what reads it, and how large it may be.

use crate::client::fuzz as client;
use crate::login::fuzz as login;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{ISSUER, METHOD, SERVER, at_once};
use crate::http::discovery;
use crate::json;
use crate::json::IgnoredAny;
use crate::json::error::JsonError;
use crate::jwks::set::KeySet;
use crate::testing::data::client_file::ClientFile;
use crate::token::bearer::BearerToken;
use url::Url;

/// What a proof is made for.
const ORIGIN: &str = "https://fuzz.example";

/// A kind of document that others write.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// The name of its fuzz target, and of the folder of its seeds.
    pub name: &'static str,
    /// The longest document in bytes.
    pub limit: usize,
    /// Documents that are JSON; `@` is the value of a member that no reader knows.
    pub documents: &'static [&'static str],
    /// Panics if a property does not hold for these bytes.
    pub check: fn(&[u8]),
    /// Why this document is rejected, if it is. It names the cause and holds no value.
    pub verdict: fn(&[u8]) -> Result<(), String>,
}

impl Door {
    /// The documents with this value in the place of the unknown member's.
    #[must_use]
    pub fn with_member(&self, value: &str) -> Vec<Vec<u8>> {
        self.documents.iter().map(|document| document.replace('@', value).into_bytes()).collect()
    }
}

const KIB: usize = 1024;

/// All of them.
pub const DOORS: &[Door] = &[
    Door {
        name: "json",
        limit: json::MAX_BYTES,
        documents: &[r#"{"x":@}"#, "[@]", "@"],
        check: super::json,
        verdict: |data| json::read::<IgnoredAny>(data).map(drop).map_err(text),
    },
    Door {
        name: "token",
        // In base64url it has a third more.
        limit: 6000,
        documents: &[
            "{\"alg\":\"EdDSA\",\"kid\":\"eddsa-1\",\"typ\":\"at+jwt\"}\n\
             {\"iss\":\"https://issuer.example\",\"aud\":\"fuzz\",\"exp\":99999999999,\"x\":@}\n\
             0123456789012345678901234567890123456789012345678901234567890123",
            "{\"alg\":\"EdDSA\",\"kid\":\"eddsa-1\",\"typ\":\"at+jwt\",\"x\":@}\n\
             {\"iss\":\"https://issuer.example\",\"aud\":\"fuzz\",\"exp\":99999999999}\n\
             0123456789012345678901234567890123456789012345678901234567890123",
        ],
        check: super::token,
        verdict: |data| {
            let token = BearerToken::parse(&compact(data)).ok_or("not a bearer token")?;
            at_once(SERVER.verify(&token)).map(drop).map_err(|refused| refused.to_string())
        },
    },
    Door {
        name: "authorization",
        limit: 16 * KIB,
        documents: &[],
        check: super::authorization,
        verdict: |_| Ok(()),
    },
    Door {
        name: "key_set",
        limit: 256 * KIB,
        documents: &[
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","y":@,
                "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
            r#"{"keys":[@,{"kty":"OKP","crv":"Ed25519","kid":"1",
                "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
            r#"{"x":@,"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1",
                "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        ],
        check: super::key_set,
        verdict: |data| match KeySet::parse(data) {
            Ok((_, skipped)) => match skipped.first() {
                Some((_, reason)) => Err(reason.to_string()),
                None => Ok(()),
            },
            Err(error) => Err(error.to_string()),
        },
    },
    Door {
        name: "metadata",
        limit: 256 * KIB,
        documents: &[
            r#"{"issuer":"https://issuer.example","jwks_uri":"https://a.example/","x":@}"#,
        ],
        check: super::metadata,
        verdict: |data| {
            let issuer = Url::parse(ISSUER).map_err(|error| error.to_string())?;
            discovery::read(data, &issuer, ISSUER).map(drop).map_err(|error| error.to_string())
        },
    },
    Door {
        name: "cache_control",
        limit: 16 * KIB,
        documents: &[],
        check: super::cache_control,
        verdict: |_| Ok(()),
    },
    Door {
        name: "claims",
        limit: 6000,
        documents: &[r#"{"tenant":@}"#],
        check: super::claims,
        verdict: |data| super::typed_claims(data).map(drop),
    },
    Door {
        name: "dpop_proof",
        limit: 6000,
        documents: &[
            "{\"alg\":\"EdDSA\",\"typ\":\"dpop+jwt\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\
             \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"y\":@}}\n\
             {\"jti\":\"1\",\"htm\":\"POST\",\"htu\":\"https://fuzz.example/fuzz.Fuzz/Method\",\
             \"iat\":1000}\n\
             0123456789012345678901234567890123456789012345678901234567890123",
            "{\"alg\":\"EdDSA\",\"typ\":\"dpop+jwt\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\
             \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}\n\
             {\"jti\":\"1\",\"htm\":\"POST\",\"htu\":\"https://fuzz.example/fuzz.Fuzz/Method\",\
             \"iat\":1000,\"x\":@}\n\
             0123456789012345678901234567890123456789012345678901234567890123",
        ],
        check: super::dpop_proof,
        verdict: |data| {
            crate::proof_of_possession::proof::check_any(compact(data).as_bytes(), ORIGIN, METHOD)
        },
    },
    Door {
        name: "client_file",
        limit: json::MAX_BYTES,
        documents: &[
            r#"{"users":[{"name":"a","password":"b","claims":{"tenant":@}}]}"#,
            r#"{"clients":[{"id":"a","jwks":{"keys":[],"x":@}}]}"#,
        ],
        check: super::client_file,
        verdict: |data| {
            let text = str::from_utf8(data).map_err(|_| "not UTF-8")?;
            ClientFile::parse(text).map(drop).map_err(|problem| problem.to_string())
        },
    },
    // Answers that replicas read back from Redis come to the same reader.
    Door {
        name: "introspection",
        limit: 256 * KIB,
        documents: &[r#"{"active":true,"aud":"fuzz","x":@}"#],
        check: super::introspection,
        verdict: |data| crate::introspection::response::read_answer(data, ISSUER, super::AUDIENCE),
    },
    Door {
        name: "id_token",
        // In base64url it has a third more.
        limit: 48 * KIB - 16,
        documents: &[
            r#"{"iss":"https://issuer.example","sub":"alice","aud":"fuzz","exp":2000,"x":@}"#,
        ],
        check: super::id_token,
        verdict: |data| login::id_token(&super::as_id_token(data), ISSUER),
    },
    // Answers of revocation endpoints, too: only their errors are read.
    Door {
        name: "token_response",
        limit: 256 * KIB,
        documents: &[
            r#"{"access_token":"a","token_type":"Bearer","expires_in":60,"x":@}"#,
            r#"{"error":"invalid_grant","error_description":"no","x":@}"#,
        ],
        check: super::token_response,
        verdict: |data| client::token_response(200, data),
    },
    Door {
        name: "device_response",
        limit: 256 * KIB,
        documents: &[
            r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example/",
                "expires_in":600,"x":@}"#,
        ],
        check: super::device_response,
        verdict: login::device_response,
    },
    Door {
        name: "stored_login",
        limit: 64 * KIB,
        documents: &[
            r#"{"version":1,"issuer":"https://issuer.example","client_id":"fuzz","scopes":[],
                "has_defaults":false,"audience":null,"resources":[],"organization":null,
                "parameters":[],"subject":null,"access_token":"a","token_type":"Bearer",
                "expires_at":2000,"granted_scope":null,"refresh_token":null,"x":@}"#,
        ],
        check: super::stored_login,
        verdict: |data| login::stored_login(data, ISSUER),
    },
    Door {
        name: "callback",
        limit: 8 * KIB,
        documents: &[],
        check: super::callback,
        verdict: login::callback,
    },
];

/// A document that once ended the process: each level is a document inside a string of the one
/// before, which serde_json parses anew, 120 arrays deeper, where its feature `raw_value` is on and
/// a `serde_json::Value` is read. It has as many levels as fit into so many bytes.
#[must_use]
pub fn bomb(bytes: usize) -> String {
    // A backslash as `\u005c`: each level of escapes then grows by few characters.
    let escaped = |json: &str| json.replace('\\', "\\u005c").replace('"', "\\u0022");
    let open = format!("{}{{\"$serde_json::private::RawValue\":\"", "[".repeat(120));
    let close = "]".repeat(120);
    let mut bomb = "{\"$serde_json::private::RawValue\":\"1\"}".to_owned();
    loop {
        let larger = format!("{open}{}\"}}{close}", escaped(&bomb));
        if larger.len() > bytes {
            return bomb;
        }
        bomb = larger;
    }
}

/// Values that two readers could see differently, or that a reader must not go into, and what the
/// message about each says.
#[must_use]
pub fn hostile_values(bytes: usize) -> Vec<(String, &'static str)> {
    let reserved = "`$serde_json::private::`, which is reserved";
    let inner = r#"{\"active\":true,\"active\":\"no\",\"kid\":1,\"kid\":2}"#;
    // Numbers that serde_json would keep as text are read as numbers.
    vec![
        (format!("{{\"$serde_json::private::RawValue\":\"{inner}\"}}"), reserved),
        (format!("{{\"\\u0024serde_json::private::RawValue\":\"{inner}\"}}"), reserved),
        (r#"{"$serde_json::private::Number":"1"}"#.into(), reserved),
        (r#"[[{"a":{"$serde_json::private::RawValue":"{}"}}]]"#.into(), reserved),
        (r#"{"a":1,"a":2}"#.into(), "twice"),
        (r#"[{"a":{"b":1,"\u0062":2}}]"#.into(), "twice"),
        (format!("{}{}", "[".repeat(bytes / 2), "]".repeat(bytes / 2)), "deeper than 127 levels"),
        (format!("{}{}", "[".repeat(128), "]".repeat(128)), "deeper than 127 levels"),
    ]
}

fn text(error: JsonError) -> String {
    error.to_string()
}

/// Three lines as header, claims and signature of a compact token.
fn compact(data: &[u8]) -> String {
    let parts: Vec<_> =
        data.splitn(3, |byte| *byte == b'\n').map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    parts.join(".")
}
