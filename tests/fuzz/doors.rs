//! The doors: each kind of document that others write, what reads it, and how large it may be.

use grpc_auth::BearerToken;
use grpc_auth::testing::fuzz as reader;
use serde::de::IgnoredAny;

use super::properties::{self, AUDIENCE, ISSUER, METHOD, ORIGIN, SERVER, as_id_token, compact};
use crate::at_once::at_once;

/// A kind of document that others write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Door {
    /// The name of its fuzz target, and of the folder of its seeds.
    pub(crate) name: &'static str,
    /// The longest document in bytes.
    pub(crate) limit: usize,
    /// Documents that are JSON; `@` is the value of a member that no reader knows.
    pub(crate) documents: &'static [&'static str],
    /// Panics if a property does not hold for these bytes.
    pub(crate) check: fn(&[u8]),
    /// Why this document is rejected, if it is. It names the cause and holds no value.
    pub(crate) verdict: fn(&[u8]) -> Result<(), String>,
}

impl Door {
    /// The documents with this value in the place of the unknown member's.
    #[must_use]
    pub(crate) fn with_member(&self, value: &str) -> Vec<Vec<u8>> {
        self.documents.iter().map(|document| document.replace('@', value).into_bytes()).collect()
    }
}

const KIB: usize = 1024;

/// All of them.
pub(crate) const DOORS: &[Door] = &[
    Door {
        name: "json",
        limit: reader::MAX_JSON_BYTES,
        documents: &[r#"{"x":@}"#, "[@]", "@"],
        check: properties::json,
        verdict: |data| reader::json::<IgnoredAny>(data).map(drop),
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
        check: properties::token,
        verdict: |data| {
            let token = BearerToken::parse(&compact(data)).ok_or("not a bearer token")?;
            at_once(SERVER.verify(&token)).map(drop).map_err(|refused| refused.to_string())
        },
    },
    Door {
        name: "authorization",
        limit: 16 * KIB,
        documents: &[],
        check: properties::authorization,
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
        check: properties::key_set,
        verdict: |data| match reader::key_set(data)?.skipped.first() {
            Some(reason) => Err(reason.clone()),
            None => Ok(()),
        },
    },
    Door {
        name: "metadata",
        limit: 256 * KIB,
        documents: &[
            r#"{"issuer":"https://issuer.example","jwks_uri":"https://a.example/","x":@}"#,
        ],
        check: properties::metadata,
        verdict: |data| reader::metadata(data, ISSUER).map(drop),
    },
    Door {
        name: "cache_control",
        limit: 16 * KIB,
        documents: &[],
        check: properties::cache_control,
        verdict: |_| Ok(()),
    },
    Door {
        name: "claims",
        limit: 6000,
        documents: &[r#"{"tenant":@}"#],
        check: properties::claims,
        verdict: |data| reader::claims(data).map(drop),
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
        check: properties::dpop_proof,
        verdict: |data| reader::dpop_proof(compact(data).as_bytes(), ORIGIN, METHOD),
    },
    Door {
        name: "client_file",
        limit: reader::MAX_JSON_BYTES,
        documents: &[
            r#"{"users":[{"name":"a","password":"b","claims":{"tenant":@}}]}"#,
            r#"{"clients":[{"id":"a","jwks":{"keys":[],"x":@}}]}"#,
        ],
        check: properties::client_file,
        verdict: |data| {
            let text = str::from_utf8(data).map_err(|_| "not UTF-8")?;
            reader::client_file(text)
        },
    },
    // Answers that replicas read back from Redis come to the same reader.
    Door {
        name: "introspection",
        limit: 256 * KIB,
        documents: &[r#"{"active":true,"aud":"fuzz","x":@}"#],
        check: properties::introspection,
        verdict: |data| reader::introspection(data, ISSUER, AUDIENCE),
    },
    Door {
        name: "id_token",
        // In base64url it has a third more.
        limit: 48 * KIB - 16,
        documents: &[
            r#"{"iss":"https://issuer.example","sub":"alice","aud":"fuzz","exp":2000,"x":@}"#,
        ],
        check: properties::id_token,
        verdict: |data| reader::id_token(&as_id_token(data), ISSUER),
    },
    // Answers of revocation endpoints, too: only their errors are read.
    Door {
        name: "token_response",
        limit: 256 * KIB,
        documents: &[
            r#"{"access_token":"a","token_type":"Bearer","expires_in":60,"x":@}"#,
            r#"{"error":"invalid_grant","error_description":"no","x":@}"#,
        ],
        check: properties::token_response,
        verdict: |data| reader::token_response(200, data),
    },
    Door {
        name: "device_response",
        limit: 256 * KIB,
        documents: &[
            r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example/",
                "expires_in":600,"x":@}"#,
        ],
        check: properties::device_response,
        verdict: reader::device_response,
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
        check: properties::stored_login,
        verdict: |data| reader::stored_login(data, ISSUER),
    },
    Door {
        name: "callback",
        limit: 8 * KIB,
        documents: &[],
        check: properties::callback,
        verdict: reader::callback,
    },
];

/// A document that once ended the process: each level is a document inside a string of the one
/// before, which serde_json parses anew, 120 arrays deeper, where its feature `raw_value` is on and
/// a `serde_json::Value` is read. It has as many levels as fit into so many bytes.
#[must_use]
pub(crate) fn bomb(bytes: usize) -> String {
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
pub(crate) fn hostile_values(bytes: usize) -> Vec<(String, &'static str)> {
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
