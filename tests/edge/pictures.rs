//! Pictures of tests: the fixtures, made-up files, and a comparison that survives lossy formats.

use std::path::PathBuf;

use image::{DynamicImage, GenericImageView as _, RgbImage};

/// Cells of the grid in each direction.
const GRID: u32 = 6;

/// A file of `tests/fixtures/images`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of the fixtures in a folder, in order.
pub(crate) fn fixtures(folder: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(folder);
    let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Decodes by content.
pub(crate) fn decode(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).expect("a picture that another decoder can read")
}

/// Width, height and media type, by content. Decodes every pixel, but of an AVIF reads what its container says, since no
/// decoder of that is at hand here; that its planes can be decoded is shown where it is encoded.
pub(crate) fn size_and_type(bytes: &[u8]) -> (u32, u32, &'static str) {
    if bytes.get(4..12) == Some(b"ftypavif") {
        let at = bytes.windows(4).position(|word| word == b"ispe").expect("an AVIF says its size") + 8;
        let side = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        return (side(at), side(at + 4), "image/avif");
    }
    let picture = decode(bytes);
    let format = image::guess_format(bytes).expect("what was decoded has a format");
    (picture.width(), picture.height(), format.to_mime_type())
}

/// A picture with something to recognise: a gradient in red and green, and a blue square right of the middle.
pub(crate) fn sample(width: u32, height: u32) -> DynamicImage {
    let level = |at: u32, side: u32| u8::try_from(at * 255 / side).unwrap();
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let is_square = x > width * 5 / 8 && x < width * 7 / 8 && y > height / 4 && y < height / 2;
        image::Rgb([level(x, width), level(y, height), if is_square { 255 } else { 32 }])
    });
    DynamicImage::ImageRgb8(picture)
}

/// Encodes in a format.
pub(crate) fn encode(picture: &DynamicImage, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("a picture can be encoded");
    bytes.into_inner()
}

/// Fails the test unless both pictures show the same: mean colours of a grid, so that codecs and filters may differ while
/// a shift, a wrong crop, turned or swapped colours may not.
#[track_caller]
pub(crate) fn assert_alike(what: &str, left: &DynamicImage, right: &DynamicImage, tolerance: f64) {
    let worst = means(left)
        .into_iter()
        .zip(means(right))
        .flat_map(|(left, right)| left.into_iter().zip(right))
        .map(|(left, right)| (left - right).abs())
        .fold(0.0, f64::max);
    assert!(worst <= tolerance, "{what}: a cell differs by {worst:.1}, more than {tolerance}");
}

fn means(picture: &DynamicImage) -> Vec<[f64; 3]> {
    let (width, height) = picture.dimensions();
    assert!(width >= GRID && height >= GRID, "{width}x{height} is too small to compare");
    let mut cells = Vec::new();
    for (row, column) in (0..GRID).flat_map(|row| (0..GRID).map(move |column| (row, column))) {
        let (left, right) = (column * width / GRID, (column + 1) * width / GRID);
        let (top, bottom) = (row * height / GRID, (row + 1) * height / GRID);
        let cell = picture.view(left, top, right - left, bottom - top).to_image();
        let count = f64::from(cell.width() * cell.height());
        let mut sums = [0.0; 3];
        for pixel in cell.pixels() {
            for (sum, channel) in sums.iter_mut().zip(pixel.0) {
                *sum += f64::from(channel);
            }
        }
        cells.push(sums.map(|sum| sum / count));
    }
    cells
}

/// A PNG that claims this size and holds almost no data.
pub(crate) fn png_of_claimed_size(width: u32, height: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // eight bits, RGB, the only compression, the only filter, not interlaced
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    // an empty zlib stream
    for (kind, data) in
        [(*b"IHDR", header), (*b"IDAT", vec![0x78, 0x9c, 3, 0, 0, 0, 0, 1]), (*b"IEND", Vec::new())]
    {
        png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let checked: Vec<u8> = kind.into_iter().chain(data).collect();
        png.extend(&checked);
        png.extend(crc32(&checked).to_be_bytes());
    }
    png
}

/// The checksum of PNG chunks (RFC 2083 section 15).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
