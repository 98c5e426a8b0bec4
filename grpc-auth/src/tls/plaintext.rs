//! What would leave the machine in plaintext.

use tonic::transport::{ClientTlsConfig, Endpoint};
use url::Url;

use crate::error::ConfigError;
use crate::http::address::is_loopback;

/// Refuses what would leave the machine in plaintext. `https` never does: with the feature `tls`,
/// tonic speaks TLS to it or not at all. Neither does an endpoint with an `origin` of its own:
/// tonic connects to the endpoint's address, by the scheme of that.
pub(crate) fn refuse_plaintext(endpoint: &Endpoint) -> Result<(), ConfigError> {
    let uri = endpoint.uri();
    if uri.scheme_str() == Some("https") || is_unix(endpoint) {
        return Ok(());
    }
    // A second opinion on what the host is: only what both read as loopback is.
    let local = Url::parse(&uri.to_string()).is_ok_and(|url| is_loopback(&url));
    if local {
        return Ok(());
    }
    Err(ConfigError::EndpointPlaintext { endpoint: uri.to_string() })
}

/// tonic shows a Unix socket as `http://tonic`, which is a host's name as well. It refuses TLS for the
/// socket, and for no host.
fn is_unix(endpoint: &Endpoint) -> bool {
    endpoint.uri().host() == Some("tonic")
        && endpoint.clone().tls_config(ClientTlsConfig::new()).is_err()
}
