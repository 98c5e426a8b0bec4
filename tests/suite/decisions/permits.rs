//! A permit is for one method and one call: what code inside the server can do with a request that
//! the layer let in.

use std::convert::Infallible;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use grpc_auth::CallerExt;
use grpc_auth::server::{AccessDecision, AccessRequest, ProtectedService, StreamExpiry};
use grpc_auth::testing::{principal, with_principal};
use http::Extensions;
use tests::kinds::{Counting, METHODS, call};
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::kinds_server::KindsServer;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::pb::kit::names_client::NamesClient;
use tests::pb::kit::names_server::{Names, NamesServer};
use tests::pb::kit::right_client::RightClient;
use tests::pb::kit::right_server::{Right, RightServer};
use tests::{Kit, assert_denied, with_token};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};
use tower_layer::Layer;

use crate::streams::expiry::assert_expired;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
const LOGGED: &str = "method called without a permit of its own";
const PLAIN_FUNCTION: &str = "move the code that several handlers need into a plain function";

type Kept = Arc<Mutex<Vec<Extensions>>>;

/// `get_http_info` does with its request what the message says.
#[derive(Clone, Default)]
struct Inside {
    /// How often another method was reached.
    others: Arc<AtomicUsize>,
    kept: Kept,
}

impl Inside {
    fn other(&self) -> Result<Response<Word>, Status> {
        self.others.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(Word::default()))
    }

    fn others(&self) -> usize {
        self.others.load(Ordering::Relaxed)
    }
}

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Names for Inside {
    async fn get_http_info(&self, mut request: Request<Word>) -> Result<Response<Word>, Status> {
        match mem::take(&mut request.get_mut().text).as_str() {
            "the same rule" => self.get_url(request).await,
            "an open method" => self.get_v2_item(request).await,
            "a stricter rule" => self.do_thing(request).await,
            "itself" => self.get_http_info(request).await,
            "keep" => {
                let mut kept = self.kept.lock().unwrap();
                kept.push(request.extensions().clone());
                kept.push(mem::take(request.extensions_mut()));
                Ok(Response::new(Word::default()))
            }
            // The code that several handlers need, as the message in the log says.
            "a plain function" => self.other(),
            _ => Ok(Response::new(request.into_inner())),
        }
    }
    async fn get_url(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.other()
    }
    #[allow_unauthenticated]
    async fn get_v2_item(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.other()
    }
    #[require_scopes("admin:all")]
    async fn do_thing(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.other()
    }
    async fn r#move(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.other()
    }
}

const CALLS: [&str; 4] = ["the same rule", "an open method", "a stricter rule", "itself"];

fn word(text: &str) -> Word {
    Word { text: text.into() }
}

/// Whatever the caller's token grants: the authorizer decided for one method, not for another.
#[tokio::test]
async fn a_handler_cannot_call_another_method_with_its_own_request() {
    let kit = Kit::start().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asking = Arc::clone(&asked);
    let authorizer = move |request: AccessRequest| {
        asking.lock().unwrap().push(request.rpc().to_owned());
        async { Ok(AccessDecision::Allow) }
    };
    let auth = kit.issuer.resource_server().authorizer(authorizer).build().await.unwrap();
    let service = Inside::default();
    let mut client = NamesClient::new(auth.protect(service.clone()));
    let another = "the request has the permit of another method";
    let taken = "the permit of this request was taken before";
    for (what, (method, cause)) in CALLS.into_iter().zip([
        ("GetUrl", another),
        ("GetV2Item", another),
        ("DoThing", another),
        ("GetHttpInfo", taken),
    ]) {
        let logs = Logs::capture();
        let answer = client.get_http_info(kit.request(word(what), &["admin:all"])).await;
        assert_eq!(answer.as_ref().unwrap_err().message(), "internal error");
        assert_denied(answer, Code::Internal, "");
        assert_eq!(service.others(), 0, "{what}");
        let line = logs.line_with(LOGGED);
        assert!(line.contains("ERROR") && line.contains(PLAIN_FUNCTION), "{what}: {line}");
        let method = format!("method=kit.v1.Names/{method} ");
        assert!(line.contains(&method) && line.contains(cause), "{what}: {line}");
    }
    assert_eq!(*asked.lock().unwrap(), ["GetHTTPInfo"; 4]);
    client.get_http_info(kit.request(word("a plain function"), &[])).await.unwrap();
    assert_eq!(service.others(), 1);
}

/// A unit test sees what callers would.
#[tokio::test]
async fn a_handler_that_is_called_by_a_test_cannot_call_another_method_either() {
    let service = Inside::default();
    let request = |text: &str| with_principal(Request::new(word(text)), &principal(["admin:all"]));
    for what in CALLS {
        let logs = Logs::capture();
        assert_denied(service.get_http_info(request(what)).await, Code::Internal, "");
        assert_eq!(service.others(), 0, "{what}");
        assert!(logs.line_with(LOGGED).contains(PLAIN_FUNCTION));
    }
    service.get_http_info(request("")).await.unwrap();
    service.do_thing(request("")).await.unwrap();
}

fn request_with(extensions: Extensions) -> Request<Word> {
    Request::from_parts(MetadataMap::new(), extensions, Word::default())
}

#[tokio::test]
async fn extensions_of_an_earlier_call_give_no_permit() {
    let kit = Kit::start().await;
    let service = Inside::default();
    let mut client = NamesClient::new(kit.auth.protect(service.clone()));
    client.get_http_info(kit.request(word("keep"), &[])).await.unwrap();
    let kept = mem::take(&mut *service.kept.lock().unwrap());
    assert_eq!(kept.len(), 2);
    for extensions in kept {
        let request = request_with(extensions);
        let logs = Logs::capture();
        // Who called may be known later.
        assert_eq!(request.principal().unwrap().subject(), Some("test"));
        assert_denied(service.get_http_info(request).await, Code::Internal, "");
        let line = logs.line_with(LOGGED);
        assert!(line.contains("the extensions of an earlier call were kept or cloned"), "{line}");
    }
}

/// A middleware below the layer sees the extensions before the guard does.
#[tokio::test]
async fn cloned_extensions_give_no_permit_even_if_the_original_was_never_used() {
    let kit = Kit::start().await;
    let (service, kept) = (Inside::default(), Kept::default());
    let keeping = Arc::clone(&kept);
    let keep = move |request: &mut http::Request<Body>| {
        keeping.lock().unwrap().push(request.extensions().clone());
        *request.uri_mut() = http::Uri::from_static("http://localhost/kit.v1.Names/Nothing");
    };
    let policy = <Inside as ProtectedService<NamesServer<_>>>::POLICY;
    let below = Below(NamesServer::new(service.clone()), keep);
    let mut client = NamesClient::new(kit.auth.layer([policy]).unwrap().layer(below));
    let answer = client.get_http_info(kit.request(word(""), &[])).await;
    assert_denied(answer, Code::Unimplemented, "");
    let request = request_with(kept.lock().unwrap().pop().unwrap());
    assert_eq!(request.principal().unwrap().subject(), Some("test"));
    assert_denied(service.get_http_info(request).await, Code::Internal, "");
}

/// Changes requests between the layer and tonic's server.
#[derive(Clone)]
struct Below<S, F>(S, F);

impl<S, F> Service<http::Request<Body>> for Below<S, F>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    F: Fn(&mut http::Request<Body>),
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> S::Future {
        (self.1)(&mut request);
        self.0.call(request)
    }
}

/// Two services whose only entries differ in nothing but the service. One of them hands its request
/// on.
#[derive(Clone, Default)]
struct Twin {
    reached: Arc<AtomicUsize>,
}

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Left for Twin {
    async fn get(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.reached.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(Word::default()))
    }
    async fn put(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(Word::default()))
    }
}

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Right for Twin {
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        <Self as Left>::get(self, request).await
    }
}

#[tokio::test]
async fn a_permit_of_another_service_is_none() {
    let kit = Kit::start().await;
    let service = Twin::default();
    let left = <Twin as ProtectedService<LeftServer<_>>>::POLICY;
    let right = <Twin as ProtectedService<RightServer<_>>>::POLICY;
    let layer = kit.auth.layer([left, right]).unwrap();
    // A middleware below the layer sends the call to the other service.
    let below = Below(LeftServer::new(service.clone()), |request: &mut http::Request<Body>| {
        *request.uri_mut() = http::Uri::from_static("http://localhost/kit.v1.Left/Get");
    });
    let mut rewritten = RightClient::new(layer.layer(below));
    // A handler hands its request to the other service.
    let mut handed_on = RightClient::new(kit.auth.protect::<RightServer<_>, _>(service.clone()));
    for client_answer in [
        rewritten.get(kit.request(word(""), &[])).await,
        handed_on.get(kit.request(word(""), &[])).await,
    ] {
        assert_denied(client_answer, Code::Internal, "");
    }
    let logs = Logs::capture();
    assert_denied(handed_on.get(kit.request(word(""), &[])).await, Code::Internal, "");
    let line = logs.line_with(LOGGED);
    assert!(line.contains("the request has the permit of another service"), "{line}");
    assert!(line.contains("permit_of=kit.v1.Right/Get"), "{line}");
    assert!(line.contains("call the service through its own `auth.protect(service)`"), "{line}");
    assert_eq!(service.reached.load(Ordering::Relaxed), 0);
}

/// One type of service at two resource servers: the second one's instance gets a request of the
/// first.
struct Forwarding(Inside);

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Names for Forwarding {
    async fn get_http_info(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        self.0.get_http_info(request).await
    }
    async fn get_url(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.0.other()
    }
    #[allow_unauthenticated]
    async fn get_v2_item(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.0.other()
    }
    #[require_scopes("admin:all")]
    async fn do_thing(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.0.other()
    }
    async fn r#move(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.0.other()
    }
}

#[tokio::test]
async fn a_request_of_another_resource_server_gives_no_permit() {
    let logs = Logs::capture();
    let [one, other] = [Kit::start().await, Kit::start().await];
    let inside = Inside::default();
    let _mounted = other.auth.protect::<NamesServer<_>, _>(inside.clone());
    let mut client = NamesClient::new(one.auth.protect(Forwarding(inside.clone())));
    let answer = client.get_http_info(one.request(word("a plain function"), &[])).await;
    assert_denied(answer, Code::Internal, "");
    assert_eq!(inside.others(), 0);
    assert!(logs.line_with(LOGGED).contains("the permit of this request was taken before"));
}

/// A middleware holds the call back until its token has expired.
#[tokio::test]
async fn no_method_of_any_kind_begins_with_an_expired_token() {
    let kit = Kit::start().await;
    let policy = <Counting as ProtectedService<KindsServer<_>>>::POLICY;
    for expiry in [StreamExpiry::UntilExpiry, StreamExpiry::CheckedAtOpen] {
        let layer = kit.auth.layer([policy]).unwrap().stream_expiry(expiry).unwrap();
        for (late, is_let_in) in [(HOUR + 29 * SECOND, true), (HOUR + 30 * SECOND, false)] {
            // An open method takes a caller whose token it cannot verify now for an anonymous one.
            for method in METHODS.into_iter().filter(|method| *method != "Open") {
                let (service, clock) = (Counting::default(), kit.issuer.clock().clone());
                let hold = move |_: &mut http::Request<Body>| clock.advance(late);
                let below = Below(KindsServer::new(service.clone()), hold);
                let mut client = KindsClient::new(layer.layer(below));
                let scopes = ["read:word", "write:word", "team:blue"];
                let token = kit.issuer.token().scopes(scopes).expires_in(HOUR).sign();
                let answer = call(&mut client, method, Some(&token)).await;
                assert_eq!(service.reached(method), usize::from(is_let_in), "{method} {expiry:?}");
                if !is_let_in {
                    assert_expired(answer);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_permit_is_good_for_the_call_it_was_given_for() {
    let kit = Kit::start().await;
    let service = Inside::default();
    let mut client = NamesClient::new(kit.auth.protect(service.clone()));
    let token = kit.issuer.token().sign();
    for _ in 0..3 {
        client.get_url(with_token(Word::default(), &token)).await.unwrap();
        client.get_v2_item(Request::new(Word::default())).await.unwrap();
    }
    assert_eq!(service.others(), 6);
}
