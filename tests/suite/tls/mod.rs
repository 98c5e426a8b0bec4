//! TLS for channels and servers, and the development CA.

mod development;
mod transport;
