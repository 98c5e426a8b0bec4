//! Tokens that are bound to a key: a call proves that its sender holds it (RFC 9449).

mod introspected;
mod layer;
mod nonce;
mod proofs;
mod redis;
mod replay;
mod restart;
mod tokens;

use grpc_auth::Dpop;
use tests::sender::ORIGIN;

fn dpop() -> Dpop {
    Dpop::for_origins([ORIGIN])
}
