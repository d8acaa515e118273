//! Mapping pixels to a palette, with what is wrong at one pixel made good at its neighbours (Floyd and Steinberg).

use super::boxes::cell;
use super::nearest::Nearest;
use super::{CLEAR, Colour, premultiplied};

/// How much of an error is passed on, of 16: less than all, so that flat areas stay quiet.
const PASSED: i32 = 13;
/// Answers that are remembered; a power of two.
const REMEMBERED: usize = 1 << 14;

/// Errors of a row, in sixteenths, with one place more at each end.
type Errors = Vec<[i32; 4]>;

/// The place of each pixel. Pixels with nothing to see get the clear colour if there is one, and pass nothing on. Colours of one
/// cell, which are alike but for `dropped` bits, may get one answer.
pub(super) fn places(pixels: &[Colour], width: usize, colours: &[Colour], dropped: u32) -> Vec<u8> {
    let nearest = Nearest::new(colours);
    let clear = colours.iter().zip(0..=u8::MAX).find(|(colour, _)| **colour == CLEAR).map(|(_, place)| place);
    let mut answers = Answers::new(nearest.clone(), dropped);
    let mut places = vec![0; pixels.len()];
    let mut errors: [Errors; 2] = [vec![[0; 4]; width + 2], vec![[0; 4]; width + 2]];
    let rows = pixels.chunks(width.max(1)).zip(places.chunks_mut(width.max(1)));
    for (n, (row, places)) in rows.enumerate() {
        let [this, next] = &mut errors;
        next.fill([0; 4]);
        // every other row runs back, so that errors do not all drift to one side
        let is_back = n % 2 == 1;
        for step in 0..row.len() {
            let x = if is_back { row.len() - 1 - step } else { step };
            let (Some(pixel), Some(place)) = (row.get(x), places.get_mut(x)) else { continue };
            if let Some(clear) = clear.filter(|_| *pixel == CLEAR) {
                *place = clear;
                continue;
            }
            let error = this.get(x + 1).copied().unwrap_or_default();
            let wanted = sum(premultiplied(*pixel), error);
            *place = answers.place(wanted);
            spread(wanted, nearest.colour(*place), this, next, x + 1, is_back);
        }
        errors.swap(0, 1);
    }
    places
}

/// Nearest colours, remembered by cell.
struct Answers {
    nearest: Nearest,
    dropped: u32,
    /// A cell plus one, and its answer, at a place that the cell determines.
    known: Vec<(u64, u8)>,
}

impl Answers {
    fn new(nearest: Nearest, dropped: u32) -> Self {
        Self { nearest, dropped, known: vec![(0, 0); REMEMBERED] }
    }

    #[inline(always)]
    fn place(&mut self, wanted: [i32; 4]) -> u8 {
        let cell = cell(wanted, self.dropped);
        let hash = cell.wrapping_mul(0x9E37_79B1) >> 18;
        let Some(known) = self.known.get_mut(usize::try_from(hash).unwrap_or(0)) else { return 0 };
        if known.0 != u64::from(cell) + 1 {
            *known = (u64::from(cell) + 1, self.nearest.place(wanted));
        }
        known.1
    }
}

/// The colour with the error added, held to what a premultiplied colour can be.
#[inline(always)]
fn sum(colour: [i32; 4], error: [i32; 4]) -> [i32; 4] {
    let [red, green, blue, alpha] = colour;
    let [of_red, of_green, of_blue, of_alpha] = error;
    let add = |value: i32, error: i32, max: i32| (value + ((error + 8) >> 4)).clamp(0, max);
    let alpha = add(alpha, of_alpha, 255);
    [add(red, of_red, alpha), add(green, of_green, alpha), add(blue, of_blue, alpha), alpha]
}

#[inline(always)]
fn spread(wanted: [i32; 4], found: [i32; 4], this: &mut Errors, next: &mut Errors, at: usize, is_back: bool) {
    let (ahead, behind) = if is_back { (at - 1, at + 1) } else { (at + 1, at - 1) };
    let shares = [(this, ahead, 7), (next, behind, 3)];
    let mut error = [0; 4];
    for ((error, wanted), found) in error.iter_mut().zip(wanted).zip(found) {
        *error = (wanted - found) * PASSED / 16;
    }
    for (row, place, share) in shares {
        add(row, place, error, share);
        if share == 3 {
            add(row, at, error, 5);
            add(row, ahead, error, 1);
        }
    }
}

#[inline(always)]
fn add(row: &mut Errors, place: usize, error: [i32; 4], share: i32) {
    if let Some(to) = row.get_mut(place) {
        for (to, error) in to.iter_mut().zip(error) {
            *to += error * share;
        }
    }
}
