//! Reads the client's first message before TLS begins, to refuse an unknown name with the alert it deserves.
//!
//! rustls answers `access_denied` when a resolver finds nothing; RFC 6066 section 3 wants `unrecognized_name`. What
//! was read is handed back unread. It keeps nothing and decides nothing but whether the name is served.

use std::io;

use pingora::protocols::l4::stream::Stream;
use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};

use super::Certificates;

/// Why a client got no further than its first message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// No certificate for this name; the alert was sent.
    #[error("no certificate for the name that the client asked for")]
    UnknownName,
    /// Not a TLS client, or not one that we can serve; the alert was sent.
    #[error("client hello is malformed: {0}")]
    Malformed(rustls::Error),
    /// The message does not end.
    #[error("client hello is larger than {HELLO_BYTES_MAX} bytes")]
    TooLarge,
    /// The connection broke.
    #[error("connection ended in the client hello: {0}")]
    Io(#[from] io::Error),
}

/// Reads the hello and puts it back. When this returns an error the connection is good for nothing but closing.
pub(crate) async fn admit(stream: &mut Stream, certificates: &Certificates) -> Result<(), Refused> {
    let mut acceptor = Acceptor::default();
    let mut whole = Vec::with_capacity(READ_BYTES);
    let accepted = loop {
        let before = whole.len();
        if before >= HELLO_BYTES_MAX {
            return Err(Refused::TooLarge);
        }
        whole.reserve(READ_BYTES);
        if stream.read_buf(&mut whole).await? == 0 {
            return Err(Refused::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut unread = whole.get(before..).unwrap_or_default();
        while !unread.is_empty() {
            acceptor.read_tls(&mut unread)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => break accepted,
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write_all(&mut bytes)?;
                say(stream, &bytes).await?;
                return Err(Refused::Malformed(error));
            }
        }
    };
    if !certificates.knows(accepted.client_hello().server_name()) {
        say(stream, &UNRECOGNIZED_NAME).await?;
        return Err(Refused::UnknownName);
    }
    stream.rewind(&whole);
    Ok(())
}

async fn say(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    AsyncWriteExt::shutdown(stream).await
}

/// A record of type alert (21), version TLS 1.2, two bytes: fatal (2), `unrecognized_name` (112). RFC 8446 section 6.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
/// A hello with a post-quantum key share is about 1.7 KiB.
const READ_BYTES: usize = 4096;
/// A handshake message has at most 64 KiB, and some of it is framing.
const HELLO_BYTES_MAX: usize = 72 << 10;
