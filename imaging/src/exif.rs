//! What a camera wrote into a picture: EXIF (CIPA DC-008), which is a TIFF file without pixels.
//!
//! [`read`] takes out the few facts that are shown; [`kept`] writes fresh blocks from lists of allowed tags, so that what
//! nobody thought of (notes of the maker, serial numbers, embedded thumbnails, the place) is left behind without being
//! understood. Blocks come from strangers: only the first directory, the EXIF one and the GPS one are looked at, each once,
//! with bounds on entries and sizes, and damage makes a block poorer, never an error.

pub(crate) mod kept;
mod tiff;

use std::fmt;

use tiff::{Directory, Tiff};

/// Longest text that is kept, in bytes of the block.
const TEXT_BYTES_MAX: usize = 2_048;

/// Tags by name, as far as they are read or written.
mod tag {
    pub(super) const DESCRIPTION: u16 = 0x010e;
    pub(super) const MAKE: u16 = 0x010f;
    pub(super) const MODEL: u16 = 0x0110;
    pub(super) const ORIENTATION: u16 = 0x0112;
    pub(super) const X_RESOLUTION: u16 = 0x011a;
    pub(super) const Y_RESOLUTION: u16 = 0x011b;
    pub(super) const RESOLUTION_UNIT: u16 = 0x0128;
    pub(super) const SOFTWARE: u16 = 0x0131;
    pub(super) const DATE_TIME: u16 = 0x0132;
    pub(super) const ARTIST: u16 = 0x013b;
    pub(super) const COPYRIGHT: u16 = 0x8298;
    pub(super) const EXPOSURE: u16 = 0x829a;
    pub(super) const F_NUMBER: u16 = 0x829d;
    pub(super) const EXIF_DIRECTORY: u16 = 0x8769;
    pub(super) const GPS_DIRECTORY: u16 = 0x8825;
    pub(super) const ISO: u16 = 0x8827;
    pub(super) const TAKEN_AT: u16 = 0x9003;
    pub(super) const OFFSET_TAKEN_AT: u16 = 0x9011;
    pub(super) const FOCAL_LENGTH: u16 = 0x920a;
    pub(super) const LENS_MODEL: u16 = 0xa434;

    pub(super) const LATITUDE_REF: u16 = 1;
    pub(super) const LATITUDE: u16 = 2;
    pub(super) const LONGITUDE_REF: u16 = 3;
    pub(super) const LONGITUDE: u16 = 4;
    pub(super) const ALTITUDE_REF: u16 = 5;
    pub(super) const ALTITUDE: u16 = 6;
}

/// The facts of a block that are shown. Texts are trimmed, not empty and without control characters.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Exif {
    /// 1 to 8 (EXIF 3.0 section 4.6.5.1.6).
    pub(crate) orientation: Option<u8>,
    pub(crate) make: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) lens: Option<String>,
    /// As RFC 3339, without an offset where the camera did not write one.
    pub(crate) taken_at: Option<String>,
    pub(crate) exposure_s: Option<Ratio>,
    pub(crate) f_number: Option<Ratio>,
    pub(crate) focal_length_mm: Option<Ratio>,
    pub(crate) iso: Option<u32>,
    pub(crate) copyright: Option<String>,
    pub(crate) artist: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) density: Option<Density>,
    /// Where it was taken; shown only when asked for.
    pub(crate) gps: Option<Gps>,
}

/// A fraction with a denominator other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
}

impl Ratio {
    /// Its value.
    pub(crate) fn value(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator.max(1))
    }
}

impl fmt::Display for Ratio {
    /// In lowest terms, a whole number without a denominator.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut common, mut rest) = (self.denominator.max(1), self.numerator);
        while rest != 0 {
            (common, rest) = (rest, common % rest);
        }
        match self.denominator.max(1) / common {
            1 => write!(out, "{}", self.numerator / common),
            denominator => write!(out, "{}/{denominator}", self.numerator / common),
        }
    }
}

/// Pixels per inch, above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Density {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// A place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gps {
    /// Degrees, -90 to 90, north is positive.
    pub(crate) latitude: f64,
    /// Degrees, -180 to 180, east is positive.
    pub(crate) longitude: f64,
    /// Above the sea.
    pub(crate) altitude_m: Option<f64>,
}

/// Reads a block, with or without the `Exif` mark that JPEG puts before it. Whatever is damaged is left out.
pub(crate) fn read(block: &[u8]) -> Exif {
    let Some(tiff) = Tiff::open(block) else { return Exif::default() };
    let first = tiff.first();
    let camera = tiff.below(&first, tag::EXIF_DIRECTORY);
    let orientation = first.number(tag::ORIENTATION).and_then(|value| u8::try_from(value).ok());
    Exif {
        orientation: orientation.filter(|value| (1..=8).contains(value)),
        make: text(&first, tag::MAKE),
        model: text(&first, tag::MODEL),
        lens: text(&camera, tag::LENS_MODEL),
        taken_at: taken_at(&first, &camera),
        exposure_s: camera.ratio(tag::EXPOSURE, 0),
        f_number: camera.ratio(tag::F_NUMBER, 0).filter(|ratio| ratio.numerator > 0),
        focal_length_mm: camera.ratio(tag::FOCAL_LENGTH, 0).filter(|ratio| ratio.numerator > 0),
        iso: camera.number(tag::ISO).filter(|&iso| iso > 0),
        copyright: text(&first, tag::COPYRIGHT),
        artist: text(&first, tag::ARTIST),
        description: text(&first, tag::DESCRIPTION),
        density: density(&first),
        gps: gps(&tiff.below(&first, tag::GPS_DIRECTORY)),
    }
}

/// A text. Copyright has two parts, of the photographer and of the editor, with a zero byte between them.
fn text(directory: &Directory<'_>, tag: u16) -> Option<String> {
    let bytes = directory.text(tag)?;
    let bytes = bytes.get(..bytes.len().min(TEXT_BYTES_MAX))?;
    let parts = bytes.split(|&byte| byte == 0).map(readable).filter(|part| !part.is_empty());
    // some cameras fill the rest of a field with old bytes: only copyright has something to say after a zero
    let count = if tag == tag::COPYRIGHT { 2 } else { 1 };
    let parts: Vec<String> = parts.take(count).collect();
    if parts.is_empty() { None } else { Some(parts.join(", ")) }
}

/// UTF-8, or what is not that as Latin-1, which older cameras mean; without control characters, trimmed.
fn readable(bytes: &[u8]) -> String {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // cut in the middle of a letter by the bound above
        Err(error) if error.error_len().is_none() => {
            String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default()).into_owned()
        }
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    let kept: String = text.chars().filter(|letter| !letter.is_control()).collect();
    kept.trim().to_owned()
}

fn taken_at(first: &Directory<'_>, camera: &Directory<'_>) -> Option<String> {
    let local = camera.text(tag::TAKEN_AT).or_else(|| first.text(tag::DATE_TIME))?;
    let offset = camera.text(tag::OFFSET_TAKEN_AT).and_then(offset).unwrap_or_default();
    let mut local: [u8; 19] = local.get(..19)?.try_into().ok()?;
    let numbers = "0000:00:00 00:00:00";
    let is_shaped = local.iter().zip(numbers.bytes()).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        form => *byte == form,
    });
    let field =
        |at: usize| local.get(at..at + 2).and_then(|two| str::from_utf8(two).ok()?.parse::<u8>().ok());
    let is_within =
        |at: usize, low: u8, high: u8| field(at).is_some_and(|value| (low..=high).contains(&value));
    let is_time = is_within(11, 0, 23) && is_within(14, 0, 59) && is_within(17, 0, 60);
    if !is_shaped || !is_within(5, 1, 12) || !is_within(8, 1, 31) || !is_time {
        return None;
    }
    for (byte, form) in local.iter_mut().zip("0000-00-00T00:00:00".bytes()) {
        *byte = if form == b'0' { *byte } else { form };
    }
    Some(format!("{}{offset}", str::from_utf8(&local).ok()?))
}

/// An offset from UTC as `+01:30`.
fn offset(bytes: &[u8]) -> Option<String> {
    let text = str::from_utf8(bytes.get(..6)?).ok()?;
    let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    let is_number = |part: &str, max: u8| {
        part.len() == 2
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse::<u8>().is_ok_and(|value| value <= max)
    };
    (is_number(hours, 14) && is_number(minutes, 59)).then(|| text.to_owned())
}

fn density(first: &Directory<'_>) -> Option<Density> {
    let per_inch = match first.number(tag::RESOLUTION_UNIT).unwrap_or(2) {
        2 => 1.0,
        3 => 2.54,
        _ => return None,
    };
    let along = |tag| first.ratio(tag, 0).map(|ratio| ratio.value() * per_inch).filter(|&value| value > 0.0);
    Some(Density { x: along(tag::X_RESOLUTION)?, y: along(tag::Y_RESOLUTION)? })
}

fn gps(place: &Directory<'_>) -> Option<Gps> {
    let degrees = |tag, reference, positive: u8, negative: u8, max: f64| {
        let part = |index| place.ratio(tag, index).map(Ratio::value);
        let size = part(0)? + part(1).unwrap_or(0.0) / 60.0 + part(2).unwrap_or(0.0) / 3_600.0;
        let sign = match place.text(reference)?.first()?.to_ascii_uppercase() {
            letter if letter == positive => 1.0,
            letter if letter == negative => -1.0,
            _ => return None,
        };
        (size <= max).then_some(sign * size)
    };
    let below_sea = place.number(tag::ALTITUDE_REF).is_some_and(|value| value & 1 == 1);
    let altitude = place.ratio(tag::ALTITUDE, 0).map(Ratio::value);
    Some(Gps {
        latitude: degrees(tag::LATITUDE, tag::LATITUDE_REF, b'N', b'S', 90.0)?,
        longitude: degrees(tag::LONGITUDE, tag::LONGITUDE_REF, b'E', b'W', 180.0)?,
        altitude_m: altitude.map(|altitude| if below_sea { -altitude } else { altitude }),
    })
}

#[cfg(test)]
mod tests;
