//! grpc-auth beside jsonwebtoken: 100,000 signed tokens near validity, their headers and claims
//! changed in type, form and time. What grpc-auth accepts, jsonwebtoken accepts with an equal
//! `Validation`, or the difference is in [`EXPLAINED`].

#[path = "../../fuzz/oracle.rs"]
mod oracle;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use grpc_auth::Algorithm;
use grpc_auth::testing::fuzz::Signer;
use oracle::{Opinion, Oracle};

const TOKENS: u64 = 100_000;

/// Every difference that is expected; each of them is met.
const EXPLAINED: [&str; 4] =
    [oracle::IGNORED_PARAMETER, oracle::FRACTION, oracle::NEGATIVE, oracle::HUGE];

#[test]
fn jsonwebtoken_accepts_what_is_accepted() {
    let oracle = Oracle::new();
    let mut opinions: BTreeMap<Opinion, usize> = BTreeMap::new();
    for seed in 0..TOKENS {
        let mut random = Random(seed);
        let algorithm = match random.below(40) {
            // Slow to sign with.
            0 => Algorithm::Rs256,
            1..=5 => Algorithm::Es256,
            _ => Algorithm::EdDsa,
        };
        let (header, claims) = (header(&mut random, algorithm), claims(&mut random));
        let opinion = oracle.compare(algorithm, header.as_bytes(), claims.as_bytes());
        *opinions.entry(opinion).or_default() += 1;
    }
    println!("differential: {TOKENS} tokens: {opinions:#?}");
    assert!(opinions[&Opinion::Accepted] > TOKENS as usize * 2 / 5, "too few are accepted");
    assert!(opinions[&Opinion::Rejected] > TOKENS as usize / 5, "too few are rejected");
    for reason in EXPLAINED {
        assert!(opinions.contains_key(&Opinion::Explained(reason)), "no token shows: {reason}");
    }
}

/// SplitMix64: the same tokens for the same seed, but for the time of day.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

/// Names and values as JSON text.
type Members = Vec<(String, String)>;

fn header(random: &mut Random, algorithm: Algorithm) -> String {
    let kid = format!("{}-1", algorithm.as_str().to_lowercase());
    let mut members = vec![
        member(random, "alg", algorithm.as_str()),
        member(random, "kid", &kid),
        member(random, "typ", "at+jwt"),
    ];
    if random.one_in(3) {
        change_header(random, &mut members);
    }
    object(random, members)
}

fn change_header(random: &mut Random, members: &mut Members) {
    match random.below(8) {
        0 => {
            let alg =
                random.pick(&["none", "HS256", "RS256", "ES256", "EdDSA", "eddsa", "ES384", ""]);
            replace(random, members, "alg", |random| text(random, alg));
        }
        1 => {
            let kid = random.pick(&["eddsa-1", "es256-1", "rs256-1", "other", ""]);
            replace(random, members, "kid", |random| text(random, kid));
        }
        2 => {
            let typ =
                random.pick(&["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt", "dpop+jwt"]);
            replace(random, members, "typ", |random| text(random, typ));
        }
        3 => {
            let name = random.pick(&["alg", "kid", "typ"]);
            replace(random, members, name, odd);
        }
        4 => {
            let name = random.pick(&["kid", "typ", "kid", "typ", "alg"]);
            members.retain(|(own, _)| own.trim_matches('"') != name);
        }
        5 => {
            let name = random.pick(&["crit", "b64", "zip", "exp", "iss"]);
            let value = random.pick(&["[]", "[\"exp\"]", "true", "false", "\"DEF\"", "1"]);
            members.push((text(random, name), value.into()));
        }
        6 => {
            // Parameters that jsonwebtoken reads.
            let name = random.pick(&[
                "cty", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "enc", "url", "nonce",
            ]);
            let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
            let value = random.pick(&["\"JWT\"", "[\"MIIB\"]", "null", jwk, "{}", "5"]);
            members.push((text(random, name), value.into()));
        }
        _ => {
            let value = odd(random);
            members.push((name(random), value));
        }
    }
}

fn claims(random: &mut Random) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut members = vec![
        member(random, "iss", Signer::ISSUER),
        member(random, "sub", "test"),
        member(random, "aud", Signer::AUDIENCE),
        ("\"exp\"".into(), (now + 3600).to_string()),
        ("\"iat\"".into(), now.to_string()),
    ];
    for _ in 0..random.pick(&[0, 0, 1, 1, 1, 2, 3]) {
        change_claims(random, &mut members, now);
    }
    if random.one_in(200) {
        let other = ["[]", "", "\u{feff}{}", "{}{}", "null", "{\"exp\":", "[1,2]", "{} "];
        return random.pick(&other).into();
    }
    object(random, members)
}

fn change_claims(random: &mut Random, members: &mut Members, now: u64) {
    match random.below(12) {
        0..=2 => {
            let name = random.pick(&["exp", "nbf", "iat"]);
            replace(random, members, name, |random| time(random, now, name));
        }
        3 | 4 => replace(random, members, "aud", audience),
        5 => {
            let iss = random.pick(&[
                "\"https://issuer.example\"",
                "\"https:\\/\\/issuer.example\"",
                "\"https://issuer.example/\"",
                "\"https://ISSUER.example\"",
                "[\"https://issuer.example\"]",
                "\"https://issuer.exampl\\u0065\"",
                "null",
            ]);
            replace(random, members, "iss", |_| iss.into());
        }
        6 => {
            let sub =
                random.pick(&["\"\"", "\"é\"", "\"\\u0000\"", "\"a\\nb\"", "1", "null", "[]"]);
            replace(random, members, "sub", |_| sub.into());
        }
        7 => {
            let name = random.pick(&["iss", "sub", "aud", "exp", "nbf", "iat", "client_id", "azp"]);
            replace(random, members, name, odd);
        }
        8 => {
            let place = random.below(members.len().max(1) as u64) as usize;
            if place < members.len() {
                members.remove(place);
            }
        }
        9 => {
            // A member twice, or a name that only looks the same.
            let place = random.below(members.len().max(1) as u64) as usize;
            if let Some((own, value)) = members.get(place).cloned() {
                let name = match random.below(4) {
                    0 => own,
                    1 => own.to_uppercase().replace("\\U", "\\u"),
                    2 => own.replacen('"', "\" ", 1),
                    _ => own.replacen('"', "\"\\u0061", 1),
                };
                members.push((name, value));
            }
        }
        _ => {
            let value = odd(random);
            members.push((name(random), value));
        }
    }
}

/// A NumericDate around now, in every form that JSON has for numbers.
fn time(random: &mut Random, now: u64, name: &str) -> String {
    let leeway = Signer::LEEWAY.as_secs() as i64;
    let offset = match name {
        "exp" => random.pick(&[-leeway - 1, -leeway, -leeway + 1, -1, 0, 1, 60, 3600, 1 << 40]),
        _ => random.pick(&[leeway + 1, leeway, leeway - 1, 1, 0, -1, -3600, -(1 << 30)]),
    };
    let whole = now.saturating_add_signed(offset);
    match random.below(12) {
        0..=3 => whole.to_string(),
        4..=6 => format!("{whole}.{}", random.pick(&["0", "25", "5", "75", "999999", "0000001"])),
        7 => format!("{whole}e0"),
        8 => format!("{}.{:09}E+9", whole / 1_000_000_000, whole % 1_000_000_000),
        9 => format!("\"{whole}\""),
        10 => random
            .pick(&["-1", "-0", "0", "-0.5", "1e-9", "-1e300", "0.0", "5e-324", "1"])
            .to_owned(),
        _ => random
            .pick(&[
                "1e20",
                "1e300",
                "18446744073709551615",
                "18446744073709551616",
                "9e15",
                "1e999",
            ])
            .to_owned(),
    }
}

fn audience(random: &mut Random) -> String {
    let own = text(random, Signer::AUDIENCE);
    match random.below(12) {
        0 | 1 => format!("[{own}]"),
        2 | 3 => format!("[\"other\", {own}]"),
        4 => format!("[{own},{own}]"),
        5 => "[]".into(),
        6 => "[\"other\"]".into(),
        7 => format!("[[{own}]]"),
        8 => format!("{{\"aud\":{own}}}"),
        9 => format!("[{own},1]"),
        10 => format!("[{}{own}]", "\"x\",".repeat(random.below(120) as usize)),
        _ => random.pick(&["\"FUZZ\"", "\"fuzz \"", "\"\"", "null", "\"fuz\\u007a\""]).into(),
    }
}

/// Any value, valid JSON or nearly.
fn odd(random: &mut Random) -> String {
    match random.below(12) {
        0 => random.pick(&["null", "true", "false"]).into(),
        1 => random.pick(&["0", "-0", "-1", "1.5", "1e3", "1E+3", "1e-3", "1e308"]).into(),
        2 => random.pick(&["\"\"", "\"é\"", "\"\\ud83d\\ude00\"", "\"😀\"", "\"\\u0000\""]).into(),
        3 => random.pick(&["[]", "{}", "[[]]", "[{}]", "{\"\":{}}", "[ 1 , 2 ]"]).into(),
        4 => {
            // Around the depth that serde_json reads, and far below it.
            let depth = random.pick(&[1, 2, 10, 125, 126, 127, 128, 200]);
            format!("{}{}", "[".repeat(depth), "]".repeat(depth))
        }
        5 => {
            let (one, other) = (odd_leaf(random), odd_leaf(random));
            format!("{{\"a\":{one},\"b\":{{\"a\":{other}}}}}")
        }
        6 => random
            .pick(&["{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":1}", "[{\"b\":0,\"b\":0}]"])
            .into(),
        7 => random
            .pick(&["01", "1e999", "NaN", "\"\\ud800\"", "'a'", "\"\t\"", "+1", "1.", ""])
            .into(),
        8 => format!("\"{}\"", "x".repeat(random.below(400) as usize)),
        9 => format!("[{}]", vec!["\"read\""; 1 + random.below(60) as usize].join(",")),
        _ => odd_leaf(random),
    }
}

fn odd_leaf(random: &mut Random) -> String {
    let word =
        random.pick(&["read write", "https://api.example", "{\"a\":1}", "\\", "\"", "ü/\u{7f}"]);
    text(random, word)
}

fn name(random: &mut Random) -> String {
    let names =
        ["scope", "roles", "jti", "nonce", "acr", "https://example.com/x", "", "é", "exp ", "nbf"];
    let name = random.pick(&names);
    text(random, name)
}

fn member(random: &mut Random, name: &str, value: &str) -> (String, String) {
    (text(random, name), text(random, value))
}

/// Replaces the member of this name, or adds it.
fn replace(
    random: &mut Random,
    members: &mut Members,
    name: &str,
    value: impl FnOnce(&mut Random) -> String,
) {
    let is_it = |own: &str| serde_json::from_str::<String>(own).is_ok_and(|own| own == name);
    let value = value(random);
    match members.iter_mut().find(|(own, _)| is_it(own)) {
        Some(member) => member.1 = value,
        None => members.push((text(random, name), value)),
    }
}

/// A string of JSON, sometimes with escapes that it does not need.
fn text(random: &mut Random, value: &str) -> String {
    let has_escapes = random.one_in(12);
    let mut text = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '/' if has_escapes => text.push_str("\\/"),
            '\0'..='\u{7f}' if character.is_control() || (has_escapes && random.one_in(3)) => {
                write!(text, "\\u{:04x}", character as u32).unwrap();
            }
            _ => text.push(character),
        }
    }
    text.push('"');
    text
}

/// An object, its members in any order, sometimes with white space between all that it consists of.
fn object(random: &mut Random, mut members: Members) -> String {
    if !members.is_empty() && random.one_in(2) {
        let places = members.len() as u64;
        members.rotate_left(random.below(places) as usize);
    }
    let is_spaced = random.one_in(6);
    let mut space = || if is_spaced { random.pick(&["", " ", "\n", "\t", "\r\n  "]) } else { "" };
    let mut text = String::from(space());
    text.push('{');
    for (place, (name, value)) in members.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        for part in [name, ":", value] {
            text.push_str(space());
            text.push_str(part);
        }
        text.push_str(space());
    }
    text.push('}');
    text.push_str(space());
    text
}
