//! A service's own verifier, configured by the command line.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use grpc_auth::JwksEvent;
use grpc_auth::server::StartupPolicy;
use grpc_auth::{BearerToken, Issuer, PresetClients, ResourceServer};

use super::decoded::Decoded;
use super::verdict::{Expected, Refusal, Verdict};
use super::{OIDC, ServiceArgs};
use crate::failure::{Exit, Failure};
use crate::server::{Server, ServerArgs};

pub(super) struct Verifier {
    issuer: Issuer,
    expected: Expected,
    leeway: Duration,
    max_token_bytes: usize,
}

/// None if no issuer is named.
pub(super) fn configured(
    server: &ServerArgs,
    service: &ServiceArgs,
) -> Result<Option<Verifier>, Failure> {
    let Some(server) = server.server() else {
        let given = [
            ("--audience", !service.audience.is_empty()),
            ("--accept-type", !service.accept_type.is_empty()),
            ("--allow-missing-key-id", service.allow_missing_key_id),
            ("--client", !service.client.is_empty()),
            ("--jwks", service.jwks.is_some()),
        ];
        // With these options a verdict is expected.
        return match given.iter().find(|(_, is_given)| *is_given) {
            None => Ok(None),
            Some((option, _)) => {
                Err(Failure::usage(format!("`{option}` says nothing without an issuer"))
                    .help("write `--issuer URL` too, as in `iss`"))
            }
        };
    };
    let provider = match server {
        Server::Auth0(_) if service.provider == OIDC => "auth0",
        _ => &service.provider,
    };
    let preset = Issuer::preset(provider)?;
    let identifier = server.name();
    let mut issuer = preset.issuer(&identifier, &service.client)?;
    for typ in &service.accept_type {
        issuer = issuer.accept_token_type(typ);
    }
    if service.allow_missing_key_id {
        issuer = issuer.allow_missing_key_id();
    }
    if let Some(path) = &service.jwks {
        issuer = issuer.jwks(key_set(path)?);
    }
    let audiences = match service.audience.as_slice() {
        [] => server.setting(None, "GRPC_AUTH_AUDIENCE", "AUTH0_AUDIENCE").into_iter().collect(),
        given => given.to_vec(),
    };
    if audiences.is_empty() && preset.clients != PresetClients::Callers {
        return Err(Failure::usage("no audience is named: tokens for other services would pass")
            .help(
                "write `--audience` with what the service is called at the authorization server",
            ));
    }
    let clients = service.client.clone();
    let expected = Expected { audiences, clients };
    let leeway = Duration::from_secs(service.leeway);
    let max_token_bytes = service.max_token_bytes;
    Ok(Some(Verifier { issuer, expected, leeway, max_token_bytes }))
}

fn key_set(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        let message = format!("the key set cannot be read from the file `{}`", path.display());
        Failure::new(Exit::Failed, message).cause(&error)
    })
}

impl Verifier {
    pub(super) async fn judge(
        self,
        token: &str,
        decoded: &Decoded,
        now: SystemTime,
    ) -> Result<Verdict, Failure> {
        let Self { issuer, expected, leeway, max_token_bytes } = self;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut builder = ResourceServer::builder()
            .issuer(issuer)
            .leeway(leeway)
            .max_token_bytes(max_token_bytes)
            // An expired token is worth no fetch to a service, and here it is: that it was genuine is
            // half of the answer.
            .start(StartupPolicy::Warm)
            .on_key_set_event({
                let seen = Arc::clone(&seen);
                move |_, event| {
                    if let Some(text) = in_words(event) {
                        seen.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                    }
                }
            });
        for audience in &expected.audiences {
            builder = builder.audience(audience);
        }
        let service = builder.build().await?;
        let Some(bearer) = BearerToken::parse(token) else {
            return Ok(Verdict::Refused(Refusal::malformed(token)));
        };
        Ok(match service.verify(&bearer).await {
            Ok(principal) => Verdict::Accepted(principal),
            Err(refused) => {
                let mut refusal = Refusal::new(&refused, decoded, &expected, now);
                if matches!(refusal.code, "keys-unavailable" | "key-unknown") {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.dedup();
                    refusal.details.append(&mut seen);
                }
                Verdict::Refused(refusal)
            }
        })
    }
}

/// What explains that a key is not there.
fn in_words(event: &JwksEvent<'_>) -> Option<String> {
    match event {
        JwksEvent::RefreshFailed { error, .. } => {
            Some(format!("the key set could not be fetched: {error}"))
        }
        JwksEvent::KeySkipped { key } => Some(format!("a key of the key set is not used: {key}")),
        _ => None,
    }
}
