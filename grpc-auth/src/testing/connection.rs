//! Connections, one task each.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::data::fault::Endpoint;
use super::fault_middleware::{HangUp, misbehave};
use super::own_host::require_own_host;
use super::router;
use crate::testing::data::state::State;

/// Serves until it is aborted, and all its connections with it.
pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&state)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let _open = Arc::clone(&state.connections);
    let (hang_up, mut hung_up) = mpsc::channel(1);
    let documents = router::router(Arc::clone(&state));
    let all = Router::new()
        .merge(documents.clone())
        .merge(router::people(Arc::clone(&state)))
        .nest(Endpoint::ELSEWHERE, documents)
        .layer(from_fn_with_state((state, hang_up), misbehave))
        // Outermost, so that no endpoint and no fault answers another host.
        .layer(from_fn(require_own_host));
    let mut connection =
        http1::Builder::new().serve_connection(TokioIo::new(stream), TowerToHyperService::new(all));
    let how = tokio::select! {
        _ = &mut connection => return,
        how = hung_up.recv() => how,
    };
    if how == Some(HangUp::Reset) {
        let stream = connection.into_parts().io.into_inner();
        // Without it the reset is a mere end, which the tests of the fault would notice.
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
}
