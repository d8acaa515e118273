//! The nearest colour of a palette.

use fearless_simd::{Level, dispatch};

use super::{COLOURS_MAX, Colour, premultiplied};

/// How much a difference in red, green, blue and alpha is seen, squared, in quarters.
const WEIGHTS: [i32; 4] = [2, 4, 2, 5];

fn eights(channel: &[i32; COLOURS_MAX]) -> &[[i32; 8]] {
    channel.as_chunks::<8>().0
}

/// A palette, channel by channel, premultiplied.
#[derive(Debug, Clone)]
pub(super) struct Nearest {
    level: Level,
    count: usize,
    channels: [[i32; COLOURS_MAX]; 4],
}

impl Nearest {
    /// At least one colour, at most 256.
    pub(super) fn new(colours: &[Colour]) -> Self {
        let mut nearest = Self { level: Level::new(), count: colours.len(), channels: [[0; COLOURS_MAX]; 4] };
        for (place, colour) in colours.iter().enumerate() {
            for (channel, value) in nearest.channels.iter_mut().zip(premultiplied(*colour)) {
                if let Some(entry) = channel.get_mut(place) {
                    *entry = value;
                }
            }
        }
        nearest
    }

    /// A colour of the palette, premultiplied.
    #[inline(always)]
    pub(super) fn colour(&self, place: u8) -> [i32; 4] {
        let [red, green, blue, alpha] = &self.channels;
        [red, green, blue, alpha].map(|channel| channel.get(usize::from(place)).copied().unwrap_or(0))
    }

    /// The place of the colour nearest to a premultiplied one of 8 bits a channel.
    pub(super) fn place(&self, colour: [i32; 4]) -> u8 {
        dispatch!(self.level, _simd => self.search(colour))
    }

    /// Distances with the place in the lowest byte: the least of these is the answer.
    #[inline(always)]
    fn search(&self, [red, green, blue, alpha]: [i32; 4]) -> u8 {
        let [reds, greens, blues, alphas] = &self.channels;
        let mut best = [i32::MAX; 8];
        let all = eights(reds).iter().zip(eights(greens)).zip(eights(blues).iter().zip(eights(alphas)));
        let all = all.take(self.count.div_ceil(8));
        for (n, ((reds, greens), (blues, alphas))) in (0..).step_by(8).zip(all) {
            let lanes = best.iter_mut().zip(reds).zip(greens).zip(blues).zip(alphas).zip(0..);
            for (((((best, r), g), b), a), lane) in lanes {
                let square = |one: i32, other: i32| (one - other) * (one - other);
                let sum = square(red, *r) * WEIGHTS[0]
                    + square(green, *g) * WEIGHTS[1]
                    + square(blue, *b) * WEIGHTS[2]
                    + square(alpha, *a) * WEIGHTS[3];
                let distance = sum << 8 | (n + lane);
                *best = (*best).min(distance);
            }
        }
        let least = best.into_iter().min().unwrap_or(0);
        let [place, ..] = least.to_le_bytes();
        // places beyond the palette hold black, which could be nearer than any colour
        if usize::from(place) < self.count { place } else { self.careful([red, green, blue, alpha]) }
    }

    #[cold]
    fn careful(&self, colour: [i32; 4]) -> u8 {
        let distance = |place: &u8| -> i32 {
            let squares =
                self.colour(*place).into_iter().zip(colour).map(|(one, other)| (one - other) * (one - other));
            squares.zip(WEIGHTS).map(|(square, weight)| square * weight).sum()
        };
        (0..=u8::MAX).take(self.count).min_by_key(distance).unwrap_or(0)
    }
}
