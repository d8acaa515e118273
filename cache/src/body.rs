//! A body that is whole, or still growing.

use std::{fmt, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;

use crate::mapped;

/// Why a body ended early. An early end is always an error to the reader, never a clean end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The origin closed or reset before the announced length.
    #[error("origin ended the body after {received} bytes")]
    Cut {
        /// Bytes received.
        received: u64,
    },
    /// No byte arrived within the read deadline.
    #[error("origin sent nothing for {ms} ms")]
    Stalled {
        /// The deadline, in ms.
        ms: u64,
    },
    /// A bound was exceeded.
    #[error("body is larger than {max} bytes")]
    TooLarge {
        /// The bound.
        max: u64,
    },
    /// Transport or storage failed.
    #[error("{0}")]
    Io(String),
}

/// Chunks of a body, in order. Dropping it abandons the transfer.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// A response body.
pub enum Body {
    /// Whole and in memory; may be empty.
    Full(Bytes),
    /// Arriving. The length is known when the origin announced it.
    Stream {
        /// Announced length in bytes.
        length: Option<u64>,
        /// The chunks.
        stream: BodyStream,
    },
}

impl Body {
    /// No body.
    #[must_use]
    pub const fn empty() -> Self {
        Self::Full(Bytes::new())
    }

    /// A body that breaks off before its first byte.
    #[must_use]
    pub fn failed(error: BodyError) -> Self {
        Self::Stream { length: None, stream: Box::pin(futures_util::stream::iter([Err(error)])) }
    }

    /// Length in bytes, when known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Full(bytes) => u64::try_from(bytes.len()).ok(),
            Self::Stream { length, .. } => *length,
        }
    }

    /// The same, but a stream that ends before or goes on after its announced length ends with an error.
    #[must_use]
    pub fn exact(self) -> Self {
        use futures_util::{StreamExt as _, stream::unfold};
        let Self::Stream { length: Some(length), stream } = self else { return self };
        let checked = unfold(Some((stream, 0_u64)), move |state| async move {
            let (mut stream, received) = state?;
            match stream.next().await {
                Some(Ok(chunk)) => {
                    let received = received.saturating_add(chunk.len() as u64);
                    let is_within = received <= length;
                    let item = if is_within { Ok(chunk) } else { Err(BodyError::Cut { received }) };
                    Some((item, is_within.then_some((stream, received))))
                }
                Some(Err(error)) => Some((Err(error), None)),
                None if received < length => Some((Err(BodyError::Cut { received }), None)),
                None => None,
            }
        });
        Self::Stream { length: Some(length), stream: Box::pin(checked) }
    }

    /// Its chunks.
    #[must_use]
    pub fn into_stream(self) -> BodyStream {
        match self {
            Self::Full(bytes) => Box::pin(futures_util::stream::iter([Ok(bytes)])),
            Self::Stream { stream, .. } => stream,
        }
    }

    /// Reads it whole, refusing more than `max` bytes.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] above `max`, else what the transfer failed with.
    pub async fn collect(self, max: u64) -> Result<Bytes, BodyError> {
        let chunks = self.chunks(max).await?;
        Ok(match chunks.as_slice() {
            [one] => one.clone(),
            many => mapped::concat(many),
        })
    }

    /// Its pieces, of no more than `max` bytes together.
    pub(crate) async fn chunks(self, max: u64) -> Result<Vec<Bytes>, BodyError> {
        use futures_util::StreamExt as _;
        let mut stream = match self {
            Self::Full(bytes) if bytes.len() as u64 <= max => return Ok(vec![bytes]),
            Self::Full(_) => return Err(BodyError::TooLarge { max }),
            Self::Stream { stream, .. } => stream,
        };
        let (mut chunks, mut received) = (Vec::new(), 0_u64);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            received = received.saturating_add(chunk.len() as u64);
            if received > max {
                return Err(BodyError::TooLarge { max });
            }
            chunks.push(chunk);
        }
        Ok(chunks)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Self::Stream { length, .. } => write!(f, "Stream({length:?})"),
        }
    }
}
