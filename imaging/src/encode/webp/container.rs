//! The file around compressed pictures: RIFF chunks (RFC 9649 section 2).

/// Flags of a VP8X chunk.
const ANIMATION: u8 = 0x02;
const EXIF: u8 = 0x08;
const ALPHA: u8 = 0x10;
const ICC: u8 = 0x20;

/// Metadata.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extras<'e> {
    pub(super) icc: Option<&'e [u8]>,
    /// Beginning with its TIFF header.
    pub(super) exif: Option<&'e [u8]>,
}

/// The chunks of one compressed picture: `ALPH` if there is one, then `VP8 ` or `VP8L`.
#[derive(Debug)]
pub(super) struct Stream {
    chunks: Vec<u8>,
    has_alpha: bool,
    is_single: bool,
}

/// A frame of an animation.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) stream: Stream,
    /// Even, as y is: the file holds halves.
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) duration_ms: u32,
}

/// Takes the picture out of a file that libwebp wrote.
pub(super) fn stream(file: &[u8]) -> Option<Stream> {
    let mut rest = file.get(12..)?;
    let mut stream = Stream { chunks: Vec::with_capacity(file.len()), has_alpha: false, is_single: true };
    let mut has_picture = false;
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let name = head.first_chunk::<4>()?;
        let [.., a, b, c, d] = *head;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let body = after.get(..length)?;
        match name {
            b"ALPH" => {
                stream.has_alpha = true;
                stream.is_single = false;
                chunk(&mut stream.chunks, name, &[body]);
            }
            b"VP8 " => {
                has_picture = true;
                chunk(&mut stream.chunks, name, &[body]);
            }
            b"VP8L" => {
                has_picture = true;
                // section 3.4: signature, 14 bits of width, 14 bits of height, one of alpha
                stream.has_alpha = body.get(4).is_some_and(|byte| byte & 0x10 != 0);
                chunk(&mut stream.chunks, name, &[body]);
            }
            _ => {}
        }
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
    has_picture.then_some(stream)
}

/// The file of a still picture.
pub(super) fn still(stream: &Stream, (width, height): (u32, u32), extras: Extras<'_>) -> Vec<u8> {
    if stream.is_single && extras.icc.is_none() && extras.exif.is_none() {
        return file(&stream.chunks);
    }
    let mut chunks = Vec::with_capacity(stream.chunks.len() + 64);
    let flags = if stream.has_alpha { ALPHA } else { 0 };
    extended(&mut chunks, flags, (width, height), extras);
    chunks.extend(&stream.chunks);
    if let Some(exif) = extras.exif {
        chunk(&mut chunks, b"EXIF", &[exif]);
    }
    file(&chunks)
}

/// The file of an animation. `loops` is how often it plays, 0 for ever.
pub(super) fn animated(
    frames: &[Shown],
    (width, height): (u32, u32),
    loops: u16,
    extras: Extras<'_>,
) -> Vec<u8> {
    let mut chunks = Vec::with_capacity(frames.iter().map(|frame| frame.stream.chunks.len() + 32).sum());
    let has_alpha = frames.iter().any(|frame| frame.stream.has_alpha);
    extended(&mut chunks, ANIMATION | if has_alpha { ALPHA } else { 0 }, (width, height), extras);
    // the background is transparent; players show their own
    chunk(&mut chunks, b"ANIM", &[&[0; 4], &loops.to_le_bytes()]);
    for frame in frames {
        let numbers = [frame.x / 2, frame.y / 2, frame.width - 1, frame.height - 1, frame.duration_ms];
        let mut head = [0; 16];
        for (place, number) in head.as_chunks_mut::<3>().0.iter_mut().zip(numbers) {
            *place = short(number);
        }
        // the frame replaces what is below it, and stays
        if let Some(flags) = head.last_mut() {
            *flags = 0x02;
        }
        chunk(&mut chunks, b"ANMF", &[&head, &frame.stream.chunks]);
    }
    if let Some(exif) = extras.exif {
        chunk(&mut chunks, b"EXIF", &[exif]);
    }
    file(&chunks)
}

/// The VP8X chunk, and the profile that must follow it.
fn extended(chunks: &mut Vec<u8>, flags: u8, (width, height): (u32, u32), extras: Extras<'_>) {
    let icc = extras.icc.map_or(0, |_| ICC);
    let exif = extras.exif.map_or(0, |_| EXIF);
    let flags = [flags | icc | exif, 0, 0, 0];
    chunk(chunks, b"VP8X", &[&flags, &short(width.saturating_sub(1)), &short(height.saturating_sub(1))]);
    if let Some(icc) = extras.icc {
        chunk(chunks, b"ICCP", &[icc]);
    }
}

/// The lower 24 bits.
fn short(number: u32) -> [u8; 3] {
    let [a, b, c, _] = number.to_le_bytes();
    [a, b, c]
}

fn file(chunks: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(chunks.len() + 12);
    chunk(&mut bytes, b"RIFF", &[b"WEBP", chunks]);
    bytes
}

fn chunk(to: &mut Vec<u8>, name: &[u8; 4], parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    to.extend(name);
    to.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    to.extend(parts.iter().copied().flatten());
    to.extend((length % 2 == 1).then_some(0));
}
