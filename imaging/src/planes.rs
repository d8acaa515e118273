//! A picture as its luma and its two chroma planes, the way JPEG, WebP and AVIF hold it.
//!
//! BT.601 with full range (JFIF section "Conversion to and from RGB") unless another is named, 8 bits a sample, no alpha, rows
//! without padding.

/// One channel of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plane {
    /// Samples in a row.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// `width` × `height` samples.
    pub(crate) samples: Vec<u8>,
}

/// A picture without its colours mixed; grey when it has no chroma.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planes {
    /// Its size is the picture's.
    pub(crate) luma: Plane,
    /// Blue and red difference, 128 is none. Both have one size, which may be smaller than luma's; they cover the same
    /// area, samples centred as in JFIF.
    pub(crate) chroma: Option<[Plane; 2]>,
}

impl Planes {
    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let chroma = self.chroma.iter().flatten().map(|plane| plane.samples.len());
        chroma.sum::<usize>() + self.luma.samples.len()
    }
}
