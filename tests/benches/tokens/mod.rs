//! Keys, and tokens like an Auth0 tenant's: 1,016 bytes with RS256. Written to a folder, so that
//! processes that are measured only read them.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Result, Write};
use std::path::Path;
use std::thread;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://acme-prod.eu.auth0.com/";
pub(crate) const AUDIENCE: &str = "https://api.acme.example/";
const KEY_ID: &str = "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256, Self::EdDsa].into_iter().find(|a| a.to_string() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        })
    }
}

/// Makes a key and writes `jwks.json`, `key` (as `ParsedPublicKey` takes it), `tokens`, a line
/// each with another `sub`, and `bad`, a kind and a token a line.
pub(crate) fn write(folder: &Path, algorithm: Algorithm, count: usize) -> Result<()> {
    fs::create_dir_all(folder)?;
    let key = Key::generate(algorithm);
    fs::write(folder.join("jwks.json"), json!({ "keys": [key.jwk] }).to_string())?;
    fs::write(folder.join("key"), &key.public)?;

    let mut bad = File::create(folder.join("bad"))?;
    for (kind, token) in key.bad_tokens() {
        writeln!(bad, "{kind}\t{token}")?;
    }
    let threads = thread::available_parallelism()?.get();
    let of_thread = |thread: usize| {
        let key = &key;
        move || (thread..count).step_by(threads).map(|n| key.token(&claims(n))).collect::<Vec<_>>()
    };
    let parts = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(of_thread(thread))).collect();
        running.into_iter().flat_map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut all = File::create(folder.join("tokens"))?;
    parts.iter().try_for_each(|part| writeln!(all, "{}", part.join("\n")))
}

pub(crate) fn jwks(folder: &Path) -> Result<String> {
    fs::read_to_string(folder.join("jwks.json"))
}

/// Up to `count` good tokens.
pub(crate) fn good(folder: &Path, count: usize) -> Result<Vec<String>> {
    BufReader::new(File::open(folder.join("tokens"))?).lines().take(count).collect()
}

/// Tokens to be refused, each with what is wrong with it.
pub(crate) fn bad(folder: &Path) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(folder.join("bad"))?;
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(pairs.map(|(kind, token)| (kind.to_owned(), token.to_owned())).collect())
}

fn claims(n: usize) -> Value {
    json!({
        "iss": ISSUER,
        "sub": format!("auth0|65f1c2d3e4b5a69788{n:06x}"),
        "aud": [AUDIENCE, format!("{ISSUER}userinfo")],
        "iat": 1_767_225_600,
        "exp": 4_102_444_800_u64,
        "scope": "openid profile email read:orders write:orders read:invoices",
        "azp": "Xk3vB9QmT7sWc1LrZ8pYd2NfHg5JaEuV",
        "permissions": [
            "read:orders", "write:orders", "read:invoices",
            "write:invoices", "read:customers", "admin:reports",
        ],
    })
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

struct Key {
    jwk: Value,
    public: Vec<u8>,
    header: String,
    sign: Sign,
}

impl Key {
    fn generate(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let (mut jwk, public, sign): (Value, Vec<u8>, Sign) = match algorithm {
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let modulus = pair.public_key().modulus();
                let n = BASE64.encode(modulus.big_endian_without_leading_zero());
                let public = pair.public_key().as_ref().to_vec();
                let sign = move |message: &[u8]| {
                    let mut signed = vec![0; pair.public_modulus_len()];
                    pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signed).unwrap();
                    signed
                };
                (json!({ "kty": "RSA", "n": n, "e": "AQAB" }), public, Box::new(sign))
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                // 4, x, y: the uncompressed point of SEC 1.
                let point = pair.public_key().as_ref().to_vec();
                let (x, y) = point.split_at(1).1.split_at(32);
                let (x, y) = (BASE64.encode(x), BASE64.encode(y));
                let sign =
                    move |message: &[u8]| pair.sign(&random, message).unwrap().as_ref().to_vec();
                (json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }), point, Box::new(sign))
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let public = pair.public_key().as_ref().to_vec();
                let x = BASE64.encode(&public);
                let sign = move |message: &[u8]| pair.sign(message).as_ref().to_vec();
                (json!({ "kty": "OKP", "crv": "Ed25519", "x": x }), public, Box::new(sign))
            }
        };
        let name = algorithm.to_string();
        jwk.as_object_mut().unwrap().extend([
            ("kid".to_owned(), KEY_ID.into()),
            ("alg".to_owned(), name.clone().into()),
            ("use".to_owned(), "sig".into()),
        ]);
        let header = encode(&json!({ "alg": name, "typ": "JWT", "kid": KEY_ID }));
        Self { jwk, public, header, sign }
    }

    fn token(&self, claims: &Value) -> String {
        let signed = format!("{}.{}", self.header, encode(claims));
        let signature = BASE64.encode((self.sign)(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn bad_tokens(&self) -> [(&'static str, String); 5] {
        let with = |name: &str, value: Value| {
            let mut claims = claims(0);
            claims.as_object_mut().unwrap().insert(name.to_owned(), value);
            claims
        };
        // The signature of one token under the claims of another.
        let (signed, _) = split(&self.token(&claims(0)));
        let (_, signature) = split(&self.token(&claims(1)));
        let unsigned = encode(&json!({ "alg": "none", "typ": "JWT", "kid": KEY_ID }));
        [
            ("forged", format!("{signed}.{signature}")),
            ("expired", self.token(&with("exp", 1_767_225_660.into()))),
            ("other audience", self.token(&with("aud", json!(["https://other.example/"])))),
            ("other issuer", self.token(&with("iss", "https://evil.example/".into()))),
            ("unsigned", format!("{unsigned}.{}.", encode(&claims(0)))),
        ]
    }
}

fn encode(json: &Value) -> String {
    BASE64.encode(json.to_string())
}

fn split(token: &str) -> (String, String) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    (signed.to_owned(), signature.to_owned())
}
