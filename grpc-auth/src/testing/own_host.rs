//! The names that the server answers to.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::Response;
use url::Host;

use super::pages;

/// Answers requests to a name of this machine alone, whatever the endpoint. A web page whose own name
/// was made to lead here (DNS rebinding) could read every answer.
pub(super) async fn require_own_host(request: Request, next: Next) -> Response {
    if is_to_this_machine(&request) {
        return next.run(request).await;
    }
    let problem = "This server is for this machine: open it as 127.0.0.1 or localhost.";
    pages::refused(StatusCode::MISDIRECTED_REQUEST, problem)
}

fn is_to_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none());
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    // RFC 9112 §3.2.2: the address of a request may name the host as well.
    host.is_some_and(|host| is_of_this_machine(host.host()))
        && request.uri().host().is_none_or(is_of_this_machine)
}

fn is_of_this_machine(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}
