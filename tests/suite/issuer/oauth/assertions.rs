//! Clients that authenticate by assertions (RFC 7523).

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{Answer, Oauth};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client with a key.
struct Keyed {
    oauth: Oauth,
    key: EncodingKey,
}

impl Keyed {
    async fn start() -> Self {
        let oauth = Oauth::start().await;
        let pair = rcgen::KeyPair::generate().unwrap();
        // SEC 1 §2.3.3: 4, x, y.
        let (x, y) = pair.public_key_raw()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": x, "y": y }] });
        for id in ["keyed", "twin"] {
            oauth.issuer.add_client_with_keys(id, keys.to_string(), ["read:echo"]);
        }
        Self { oauth, key: EncodingKey::from_ec_der(&pair.serialize_der()) }
    }

    /// An assertion of this client, with this id, that lives so long.
    fn assertion(&self, client: &str, id: &str, life: Duration) -> String {
        let now = self.oauth.issuer.clock().now().duration_since(UNIX_EPOCH).unwrap();
        let claims: Value = json!({
            "iss": client, "sub": client, "aud": self.oauth.issuer.url(), "jti": id,
            "exp": (now + life).as_secs(),
        });
        encode(&Header::new(Algorithm::ES256), &claims, &self.key).unwrap()
    }

    async fn shown(&self, assertion: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion),
        ];
        self.oauth.token(&form).await
    }
}

#[tokio::test]
async fn a_client_assertion_is_good_once() {
    let kit = Keyed::start().await;
    let minute = Duration::from_secs(60);
    let first = kit.assertion("keyed", "1", minute);
    kit.shown(&first).await.granted();
    let refuses = async |assertion: &str, reason: &str| {
        let answer = kit.shown(assertion).await;
        answer.assert_refused(401, "invalid_client");
        assert_eq!(answer.json["error_description"], reason);
    };
    for again in [&first, &kit.assertion("keyed", "1", 2 * minute)] {
        refuses(again, "the client assertion was used before").await;
    }
    // Another one, and another client's.
    kit.shown(&kit.assertion("keyed", "2", minute)).await.granted();
    kit.shown(&kit.assertion("twin", "1", minute)).await.granted();
    // What was refused for another reason was not used.
    let unknown = "unknown client or wrong secret";
    refuses(&kit.assertion("keyed", "3", 120 * minute), unknown).await;
    kit.shown(&kit.assertion("keyed", "3", minute)).await.granted();
    // When it has ended it is no assertion any more, and its id is forgotten.
    kit.oauth.issuer.clock().advance(minute);
    refuses(&first, unknown).await;
    kit.shown(&kit.assertion("keyed", "2", minute)).await.granted();
}
