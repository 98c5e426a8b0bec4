//! A certificate authority for the connections of one test.

use std::path::PathBuf;
use std::{fs, thread};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::installed;

/// The authority, a server, and a client, all as PEM.
#[derive(Debug)]
pub(crate) struct Pki {
    /// The authority's certificate, which everyone trusts.
    pub(crate) authority: String,
    /// Of `127.0.0.1` and `localhost`.
    pub(crate) server: Identity,
    /// Of `svc-tls.example.com`.
    pub(crate) client: Identity,
}

/// A certificate and its private key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pki {
    /// Makes all of them.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate for self-signed whose issuer has the name of its subject.
        authority.distinguished_name.push(DnType::CommonName, "interop authority");
        let certificate = authority.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(authority, key);
        Self {
            authority: certificate,
            server: Identity::of(&["127.0.0.1", "localhost"], &issuer),
            client: Identity::of(&["svc-tls.example.com"], &issuer),
        }
    }

    /// The authority's certificate in a file, for programs.
    pub(crate) fn authority_file(&self) -> PathBuf {
        let name = thread::current().name().unwrap_or("main").replace("::", "-");
        let path = installed("logs").join(format!("{name}-authority.pem"));
        fs::write(&path, &self.authority).unwrap();
        path
    }

    /// A certificate of the same names as the client's, which signed itself.
    pub(crate) fn impostor() -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["svc-tls.example.com".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }
}

impl Identity {
    fn of(names: &[&str], issuer: &Issuer<'_, KeyPair>) -> Self {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().copied().map(Into::into).collect();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap().pem();
        Self { certificate, key: key.serialize_pem() }
    }
}
