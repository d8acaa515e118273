//! Flips, and turns by quarters: every pixel is one of the source.

use crate::frame::{Frame, Layout};

/// Rows whose pixels are turned together, so that both sides stay in the nearest cache.
const BLOCK: usize = 16;

/// The picture with left and right exchanged.
pub(crate) fn flip_horizontal(mut frame: Frame) -> Frame {
    let stride = frame.stride();
    for row in frame.pixels.chunks_exact_mut(stride) {
        reverse(row, frame.layout);
    }
    frame
}

/// The picture with top and bottom exchanged.
pub(crate) fn flip_vertical(mut frame: Frame) -> Frame {
    let stride = frame.stride();
    let mut rows = frame.pixels.chunks_exact_mut(stride);
    while let (Some(upper), Some(lower)) = (rows.next(), rows.next_back()) {
        upper.swap_with_slice(lower);
    }
    frame
}

/// The picture turned clockwise by so many quarters of a circle.
pub(crate) fn quarters(mut frame: Frame, turns: u32) -> Frame {
    match turns % 4 {
        1 => flip_horizontal(transpose(&frame)),
        2 => {
            reverse(&mut frame.pixels, frame.layout);
            frame
        }
        3 => flip_vertical(transpose(&frame)),
        _ => frame,
    }
}

/// The picture with rows and columns exchanged.
fn transpose(frame: &Frame) -> Frame {
    let mut pixels = vec![0; frame.pixels.len()];
    let [width, height] = [frame.width, frame.height].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
    match frame.layout.channels() {
        1 => transpose_pixels::<1>(&frame.pixels, &mut pixels, width, height),
        2 => transpose_pixels::<2>(&frame.pixels, &mut pixels, width, height),
        3 => transpose_pixels::<3>(&frame.pixels, &mut pixels, width, height),
        _ => transpose_pixels::<4>(&frame.pixels, &mut pixels, width, height),
    }
    Frame { width: frame.height, height: frame.width, layout: frame.layout, pixels }
}

fn transpose_pixels<const N: usize>(from: &[u8], to: &mut [u8], width: usize, height: usize) {
    let (width, height) = (width.max(1), height.max(1));
    let (from, to) = (from.as_chunks::<N>().0, to.as_chunks_mut::<N>().0);
    for (rows, left) in from.chunks(BLOCK * width).zip((0..height).step_by(BLOCK)) {
        for (column, row) in to.chunks_exact_mut(height).enumerate() {
            let part = row.get_mut(left..height.min(left + BLOCK)).unwrap_or_default();
            let pixels = rows.get(column..).unwrap_or_default().iter().step_by(width);
            part.iter_mut().zip(pixels).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Pixels in the opposite order.
fn reverse(pixels: &mut [u8], layout: Layout) {
    match layout.channels() {
        1 => pixels.reverse(),
        2 => pixels.as_chunks_mut::<2>().0.reverse(),
        3 => pixels.as_chunks_mut::<3>().0.reverse(),
        _ => pixels.as_chunks_mut::<4>().0.reverse(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::{counting, frames, pixel};

    #[test]
    fn the_table_of_turns() {
        let three = || counting(3, 2);
        for (name, frame, width, pixels) in [
            ("horizontal", flip_horizontal(three()), 3, [2, 1, 0, 5, 4, 3]),
            ("vertical", flip_vertical(three()), 3, [3, 4, 5, 0, 1, 2]),
            ("none", quarters(three(), 0), 3, [0, 1, 2, 3, 4, 5]),
            ("one", quarters(three(), 1), 2, [3, 0, 4, 1, 5, 2]),
            ("two", quarters(three(), 2), 3, [5, 4, 3, 2, 1, 0]),
            ("three", quarters(three(), 3), 2, [2, 5, 1, 4, 0, 3]),
            ("five", quarters(three(), 5), 2, [3, 0, 4, 1, 5, 2]),
        ] {
            assert_eq!(
                (frame.width, frame.height, &frame.pixels[..]),
                (width, 6 / width, &pixels[..]),
                "{name}"
            );
        }
    }

    proptest! {
        #[test]
        fn twice_flipped_or_four_times_turned_is_the_same(frame in frames(40)) {
            let turned = quarters(quarters(quarters(quarters(frame.clone(), 1), 1), 1), 1);
            let flipped = flip_vertical(flip_horizontal(frame.clone()));
            for same in [
                &turned,
                &flip_horizontal(flip_horizontal(frame.clone())),
                &flip_vertical(flip_vertical(frame.clone())),
                &quarters(flipped, 2),
                &quarters(quarters(frame.clone(), 1), 3),
            ] {
                prop_assert_eq!((same.width, same.height, &same.pixels), (frame.width, frame.height, &frame.pixels));
            }
        }

        #[test]
        fn a_quarter_brings_the_left_side_up(frame in frames(40)) {
            let turned = quarters(frame.clone(), 1);
            prop_assert_eq!((turned.width, turned.height), (frame.height, frame.width));
            for (x, y) in (0..frame.width).flat_map(|x| (0..frame.height).map(move |y| (x, y))) {
                prop_assert_eq!(pixel(&turned, frame.height - 1 - y, x), pixel(&frame, x, y));
            }
        }
    }
}
