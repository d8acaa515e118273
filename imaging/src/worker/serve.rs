//! The life of a worker.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};

use serde::de::DeserializeOwned;

use super::process::MESSAGE_BYTES_MAX;
use super::{Order, Reply, cage};
use crate::pool::NICENESS;
use crate::steps::decode::heif::item::Item;
use crate::steps::geometry::Size;
use crate::{Deadline, Error};

/// Decodes what standard input asks for until that ends. The process can do nothing else from then on.
///
/// # Errors
/// When the process can't be shut off from the system, which it has said on standard output, or when a pipe is broken.
pub fn serve() -> io::Result<()> {
    // a picture that breaks its codec is told by the process's end, at once
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    let mut from = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut to = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let closed = cage::prepare(NICENESS).and_then(|()| cage::close(from.as_raw_fd(), to.as_raw_fd()));
    if let Err(why) = closed {
        say(&mut to, &Reply::Open(why.to_string()))?;
        return Err(io::Error::other(why));
    }
    say(&mut to, &Reply::Ready)?;
    while let Some(order) = hear::<Order>(&mut from)? {
        let configuration = bytes(&mut from, order.configuration_bytes)?;
        let data = bytes(&mut from, order.data_bytes)?;
        let item = Item {
            codec: order.codec,
            configuration: &configuration,
            data: &data,
            size: Size { width: order.width, height: order.height },
            said: order.said,
            colours: order.colours,
        };
        match item.decode(&Deadline::never()) {
            Ok((frame, meaning)) => {
                say(&mut to, &Reply::Picture { layout: frame.layout, meaning })?;
                to.write_all(&frame.pixels)?;
            }
            Err(Error::Undecodable { reason }) => say(&mut to, &Reply::Refused(reason.to_owned()))?,
            Err(_) => say(&mut to, &Reply::Broken)?,
        }
    }
    Ok(())
}

fn say(to: &mut File, reply: &Reply) -> io::Result<()> {
    let message = serde_json::to_vec(reply)?;
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&message)
}

/// The next message; none when whoever asks is gone.
fn hear<T: DeserializeOwned>(from: &mut File) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length =
        usize::try_from(u32::from_le_bytes(length)).ok().filter(|length| *length <= MESSAGE_BYTES_MAX);
    let message = bytes(from, length.ok_or_else(|| io::Error::other("the message is too long"))?)?;
    Ok(Some(serde_json::from_slice(&message)?))
}

fn bytes(from: &mut File, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
