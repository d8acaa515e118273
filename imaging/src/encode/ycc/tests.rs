#![expect(clippy::cast_possible_truncation, reason = "pixels are made of numbers, cut to size")]

use super::*;

fn frame(width: u32, height: u32, layout: Layout) -> Frame {
    let length = size(width) * size(height) * layout.channels();
    let pixels = (0..length).map(|n| (n * n / 7 + n * 31) as u8).collect();
    Frame { width, height, layout, pixels }
}

/// The definition in floating point, of the mean of some pixels.
fn exact(pixels: &[[u8; 3]]) -> [f64; 3] {
    let mean = |channel: usize| {
        pixels.iter().map(|pixel| f64::from(pixel[channel])).sum::<f64>() / pixels.len() as f64
    };
    let (r, g, b) = (mean(0), mean(1), mean(2));
    [
        0.299 * r + 0.587 * g + 0.114 * b,
        128.0 - 0.168_736 * r - 0.331_264 * g + 0.5 * b,
        128.0 + 0.5 * r - 0.418_688 * g - 0.081_312 * b,
    ]
}

#[test]
fn every_size_is_as_defined() {
    for (width, height) in [(1, 1), (2, 3), (15, 2), (16, 4), (17, 9), (49, 5), (100, 16)] {
        let frame = frame(width, height, Layout::Rgb);
        let (width, height) = (size(width), size(height));
        let at = |x: usize, y: usize| {
            let start = (y.min(height - 1) * width + x.min(width - 1)) * 3;
            [frame.pixels[start], frame.pixels[start + 1], frame.pixels[start + 2]]
        };
        for halved in [false, true] {
            let mut strip = Strip::new(halved);
            strip.convert(&frame, 0, height);
            let near = |found: u8, wanted: f64| (f64::from(found) - wanted.clamp(0.0, 255.0)).abs() <= 0.51;
            let (luma, rows) = strip.plane(0, width);
            assert_eq!(rows, height);
            for (n, luma) in luma.iter().enumerate() {
                assert!(near(*luma, exact(&[at(n % width, n / width)])[0]), "{n}");
            }
            let across = if halved { width.div_ceil(2) } else { width };
            for channel in [1, 2] {
                let (chroma, rows) = strip.plane(channel, across);
                assert_eq!(rows, if halved { height.div_ceil(2) } else { height });
                for (n, chroma) in chroma.iter().enumerate() {
                    let (x, y) = (n % across, n / across);
                    let square =
                        [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(right, down)| at(2 * x + right, 2 * y + down));
                    let wanted = if halved { exact(&square) } else { exact(&[at(x, y)]) };
                    assert!(near(*chroma, wanted[channel]), "{width}x{height} {n}: {chroma}, not {wanted:?}");
                }
            }
        }
    }
}

#[test]
fn transparency_shows_white() {
    let clear = Frame { width: 1, height: 1, layout: Layout::Rgba, pixels: vec![9, 99, 199, 0] };
    let mut strip = Strip::new(true);
    strip.convert(&clear, 0, 8);
    assert_eq!(strip.planes, [vec![255], vec![128], vec![128]]);
    let grey = Frame { width: 2, height: 1, layout: Layout::GreyAlpha, pixels: vec![0, 255, 0, 128] };
    strip.convert(&grey, 0, 8);
    assert_eq!(strip.planes, [vec![0, 127], vec![], vec![]]);
}
