//! A TLS handshake looked at from the inside: what was negotiated, which certificates came.

use std::{net::SocketAddr, path::Path, sync::Arc};

use rustls::{
    ClientConfig, NamedGroup, ProtocolVersion, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What a handshake ended with.
#[derive(Debug)]
pub struct Handshake {
    /// Protocol that ALPN selected.
    pub alpn: Option<String>,
    /// TLS version.
    pub version: Option<ProtocolVersion>,
    /// Key exchange group.
    pub group: Option<NamedGroup>,
    /// The server's chain, leaf first, in DER.
    pub chain: Vec<Vec<u8>>,
}

/// Makes aws-lc-rs the provider of this process; a second call changes nothing.
pub fn install_provider() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}

/// Connects with this SNI, trusting only `ca`, offering `alpn`.
///
/// # Errors
/// The TLS library's reason when the handshake fails.
pub async fn handshake(
    ca: &Path,
    address: SocketAddr,
    name: &str,
    alpn: &[&str],
) -> anyhow::Result<Handshake> {
    let stream = connect(ca, address, name, alpn).await?;
    let (_, connection) = stream.get_ref();
    Ok(Handshake {
        alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        version: connection.protocol_version(),
        group: connection.negotiated_key_exchange_group().map(|group| group.name()),
        chain: connection.peer_certificates().into_iter().flatten().map(|der| der.to_vec()).collect(),
    })
}

/// Connects with this SNI, trusting only `ca`, offering `alpn`, and gives the stream.
///
/// # Errors
/// The TLS library's reason when the handshake fails.
pub async fn connect(
    ca: &Path,
    address: SocketAddr,
    name: &str,
    alpn: &[&str],
) -> anyhow::Result<TlsStream<TcpStream>> {
    install_provider();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned())?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
}
