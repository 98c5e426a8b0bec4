use super::*;

/// The key and the token of RFC 9449 §7.1.
const KEY: &str = r#"{"crv":"P-256","kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
const TOKEN: &[u8] = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const ISSUED_AT: f64 = 1_562_262_618.0;

/// The proof of RFC 9449 §7.1: for a GET, as HTTP has it.
const PROOF: &[u8] = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0",
    "VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10",
    "NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjo",
    "iR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI",
    "6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2o",
    "W9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
)
.as_bytes();

fn examine(proof: &[u8], change: impl FnOnce(&mut Expected<'_>)) -> Result<Proof, Unproved> {
    examine_with(proof, &Thumbprint::of(KEY.as_bytes()), change)
}

fn examine_with(
    proof: &[u8],
    key: &Thumbprint,
    change: impl FnOnce(&mut Expected<'_>),
) -> Result<Proof, Unproved> {
    let origins = [Origin::configured("https://resource.example.org").unwrap()];
    let mut expected = Expected {
        method: "GET",
        origins: &origins,
        path: "/protectedresource",
        token: Some((TOKEN, key)),
        earliest: ISSUED_AT - 60.0,
        latest: ISSUED_AT + 5.0,
    };
    change(&mut expected);
    check(proof, &expected)
}

#[test]
fn the_proof_of_the_specification_is_right() {
    let proof = examine(PROOF, |_| {}).unwrap();
    assert_eq!(proof.id, "e1j3V_bKic8-LAEB");
    assert!((proof.issued_at - ISSUED_AT).abs() < 1e-9);
    assert_eq!(proof.nonce, None);
}

#[test]
fn where_a_token_is_asked_for_any_key_is_right_and_told() {
    let proof = examine(PROOF, |expected| expected.token = None).unwrap();
    assert!(proof.key.is(&Thumbprint::of(KEY.as_bytes())));
}

#[test]
fn it_is_right_for_its_call_its_token_its_key_and_its_time_alone() {
    let fails = |change: &dyn Fn(&mut Expected<'_>)| {
        examine(PROOF, |expected| change(expected)).unwrap_err()
    };
    assert!(matches!(fails(&|e| e.method = "POST"), Unproved::ProofMethod));
    assert!(matches!(fails(&|e| e.path = "/protectedresourc"), Unproved::ProofTarget));
    assert!(matches!(fails(&|e| e.origins = &[]), Unproved::ProofTarget));
    assert!(matches!(
        fails(&|e| e.token = e.token.map(|(_, key)| (&b"another"[..], key))),
        Unproved::ProofToken
    ));
    assert!(matches!(fails(&|e| e.earliest = ISSUED_AT + 0.5), Unproved::ProofOld));
    assert!(matches!(fails(&|e| e.latest = ISSUED_AT - 0.5), Unproved::ProofInFuture));
    let other = examine_with(PROOF, &Thumbprint::of(b"another"), |_| {});
    assert!(matches!(other, Err(Unproved::ProofKeyOther)));
}

#[test]
fn no_small_change_to_it_is_accepted() {
    for place in 0..PROOF.len() {
        for bit in 0..8 {
            let mut flipped = PROOF.to_vec();
            flipped[place] ^= 1 << bit;
            assert!(examine(&flipped, |_| {}).is_err(), "{place} {bit}");
        }
        assert!(examine(&PROOF[..place], |_| {}).is_err());
        assert!(examine(&[&PROOF[..place], &PROOF[place + 1..]].concat(), |_| {}).is_err());
        for byte in b"A.=_ -" {
            let longer = [&PROOF[..place], &[*byte], &PROOF[place..]].concat();
            assert!(examine(&longer, |_| {}).is_err(), "{place} {byte}");
        }
    }
}

#[test]
fn proofs_are_hidden_from_whoever_prints_the_metadata() {
    let mut headers = HeaderMap::new();
    hide(&mut headers);
    assert!(headers.is_empty());
    headers.append(DPOP, HeaderValue::from_static("a"));
    headers.append(DPOP, HeaderValue::from_static("b"));
    headers.append("other", HeaderValue::from_static("c"));
    hide(&mut headers);
    assert!(headers.get_all(DPOP).iter().all(HeaderValue::is_sensitive));
    assert!(!headers["other"].is_sensitive());
}
