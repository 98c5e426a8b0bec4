//! Serving on a free port of this machine, until the program ends.

use std::error::Error;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::{Endpoint, Server};

/// Serves these services, and tells where.
///
/// # Errors
/// When no port of 127.0.0.1 can be listened on.
pub async fn serve(services: Routes) -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Endpoint::try_from(format!("http://{}", listener.local_addr()?))?;
    let server = Server::builder().add_routes(services);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(endpoint)
}
