//! One coded item of a file: what its codec is given, and what becomes of it.

use serde::{Deserialize, Serialize};

use super::coded::{Coded, Colours, Meaning};
use super::{DAMAGED, TWO_SIZES, av1};
use crate::frame::Frame;
use crate::steps::geometry::Size;
use crate::{Deadline, Error};

/// A picture and what its numbers mean, if that is still to be seen to.
pub(crate) type Picture = (Frame, Option<Meaning>);

/// What decodes an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Codec {
    Av1,
    Hevc,
}

/// A coded item, and how it is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) codec: Codec,
    /// Parameter sets, of HEVC.
    pub(crate) configuration: &'a [u8],
    pub(crate) data: &'a [u8],
    /// Pixels, as they were judged.
    pub(crate) size: Size,
    /// The colours as the container says.
    pub(crate) said: Option<Meaning>,
    pub(crate) colours: Colours,
}

impl Item<'_> {
    /// Decodes it here: past its deadline it is finished before that is noticed.
    ///
    /// # Errors
    /// `Undecodable` for whatever the codec objects to, and for another size than the judged one; `UnknownFormat` in a build
    /// without the codec; `Panicked`; `Deadline`.
    pub(crate) fn decode(&self, deadline: &Deadline) -> Result<Picture, Error> {
        let Self { data, size, said, colours, .. } = *self;
        let read = move |coded: &Coded<'_>| {
            if (coded.width, coded.height) != (size.width, size.height) {
                return Err(TWO_SIZES);
            }
            coded.frame(said, colours)
        };
        match self.codec {
            Codec::Av1 => av1::decode(data, size, deadline, read),
            #[cfg(feature = "heic")]
            Codec::Hevc => super::hevc::decode(self.configuration, data, size, deadline, read),
            #[cfg(not(feature = "heic"))]
            Codec::Hevc => Err(Error::UnknownFormat { found: "heic" }),
        }
    }
}

/// The reason of that text among those that codecs give, for errors that come from another process.
pub(crate) fn reason(text: &str) -> Error {
    let known = [
        TWO_SIZES,
        super::coded::MIXED_OTHERWISE,
        #[cfg(feature = "heic")]
        super::hevc::TWO_DEPTHS,
    ];
    let is_it = |error: &Error| matches!(error, Error::Undecodable { reason } if *reason == text);
    known.into_iter().find(is_it).unwrap_or(DAMAGED)
}
