//! JPEG XL (ISO/IEC 18181-1), still and moving.
//!
//! Of the format's profiles the main one is read, up to level 5, which is all that encoders write for the web. Colours come
//! as their file names them; those of high dynamic range are brought to sRGB, those of the press are refused. Layers of a
//! still picture are laid on each other by the decoder.

use std::io::{self, IoSliceMut, Read};

use jxl::api::{
    AlphaMode, Endianness, Event, JxlBitstreamInput, JxlColorEncoding, JxlColorProfile, JxlColorType,
    JxlDataFormat, JxlDecoder, JxlDecoderOptions, JxlOutputBuffer, JxlParallelRunner, JxlParallelRunnerFun,
    JxlPixelFormat, JxlPrimaries, JxlTransferFunction,
};

use super::hdr::Light;
use super::input::Input;
use super::{Decoded, FrameOf, Frames, Wanted, bounded, damaged};
use crate::frame::{Frame, Layout, buffer_bytes};
use crate::limits::Limits;
use crate::sniff::{self, Header, jxl as header_bits};
use crate::{Deadline, Error};

/// Bytes of a sample while it is worked on.
const SAMPLE_BYTES: u64 = 4;

/// # Errors
/// `Undecodable` for whatever the decoder objects to, truncation included; `Deadline`.
pub(super) fn decode<'a>(
    source: &'a [u8],
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
    wanted: Wanted,
) -> Result<Decoded<'a>, Error> {
    let mut reading = Reading::open(source, header, limits, deadline)?;
    let basic = header_bits::basic(source)?;
    let mut decoded = Decoded {
        orientation: basic.orientation,
        exif: header_bits::exif(source),
        profile: bounded(reading.profile()),
        ..Decoded::empty(header)
    };
    if basic.is_animated && wanted == Wanted::All {
        let animation = reading.decoder.basic_info().and_then(|info| info.animation.as_ref());
        decoded.loop_count = animation.map_or(1, |animation| animation.num_loops);
        decoded.frames = Frames::lazy(deadline, move || reading.next().transpose())?;
    } else {
        let first = reading.next()?.ok_or(Error::Undecodable { reason: "it has no frames" })?;
        decoded.frames = Frames::one(first.frame);
    }
    Ok(decoded)
}

struct Reading<'a> {
    decoder: JxlDecoder,
    input: Bytes<'a>,
    watch: Watch,
    width: u32,
    height: u32,
    layout: Layout,
    light: Option<Light>,
    is_over: bool,
}

impl<'a> Reading<'a> {
    fn open(source: &'a [u8], header: &Header, limits: &Limits, deadline: &Deadline) -> Result<Self, Error> {
        let mut options = JxlDecoderOptions::default();
        options.adjust_orientation = false;
        options.alpha_mode = AlphaMode::Unpremultiplied;
        options.sample_limit = usize::try_from(limits.decode_bytes_max / SAMPLE_BYTES).ok();
        let mut reading = Self {
            decoder: JxlDecoder::new(options),
            input: Bytes { input: Input::new(source, deadline), left: source.len() },
            watch: Watch(deadline.clone()),
            width: header.width,
            height: header.height,
            layout: Layout::Rgb,
            light: None,
            is_over: false,
        };
        if reading.step(None)? != Event::BasicInfo {
            return Err(sniff::CUT_SHORT);
        }
        reading.choose(header)?;
        Ok(reading)
    }

    /// Decides what pixels are asked for.
    fn choose(&mut self, header: &Header) -> Result<(), Error> {
        let info = self.decoder.basic_info().ok_or(sniff::CUT_SHORT)?;
        let side = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
        if info.size != (side(header.width), side(header.height)) {
            return Err(Error::Undecodable { reason: "it names two different sizes" });
        }
        let extra = info.extra_channels.len();
        let profile = self.decoder.embedded_color_profile().ok_or(sniff::CUT_SHORT)?;
        if profile.is_cmyk() {
            return Err(Error::Undecodable { reason: "its colours are those of a press" });
        }
        self.layout = match (profile.channels(), header.has_alpha) {
            (1, false) => Layout::Grey,
            (1, true) => Layout::GreyAlpha,
            (_, false) => Layout::Rgb,
            (_, true) => Layout::Rgba,
        };
        self.light = if matches!(self.layout, Layout::Rgb | Layout::Rgba) { light(profile) } else { None };
        let color_type = match self.layout {
            Layout::Grey => JxlColorType::Grayscale,
            Layout::GreyAlpha => JxlColorType::GrayscaleAlpha,
            Layout::Rgba => JxlColorType::Rgba,
            Layout::Rgb | Layout::Cmyk => JxlColorType::Rgb,
        };
        let format = if self.light.is_some() {
            JxlDataFormat::U16 { endianness: Endianness::LittleEndian, bit_depth: 16 }
        } else {
            JxlDataFormat::U8 { bit_depth: 8 }
        };
        let format = JxlPixelFormat {
            color_type,
            color_data_format: Some(format),
            extra_channel_format: vec![None; extra],
        };
        self.decoder.set_pixel_format(format).map_err(|error| damaged(&error, &self.watch.0))
    }

    /// What the colours of the pixels are; none for sRGB.
    fn profile(&self) -> Option<Vec<u8>> {
        if self.light.is_some() {
            return None;
        }
        match self.decoder.output_color_profile()? {
            JxlColorProfile::Icc(profile) => Some(profile.clone()),
            JxlColorProfile::Simple(encoding) if is_srgb(encoding) => None,
            simple @ JxlColorProfile::Simple(_) => simple.try_as_icc().map(|profile| profile.into_owned()),
        }
    }

    fn step(&mut self, buffer: Option<&mut [JxlOutputBuffer<'_>]>) -> Result<Event, Error> {
        let event = self.decoder.process(&mut self.input, buffer, Some(&mut self.watch));
        match event.map_err(|error| damaged(&error, &self.watch.0))? {
            // all of the file has been offered
            Event::NeedMoreInput { .. } => Err(damaged(&"it ends too soon", &self.watch.0)),
            event => Ok(event),
        }
    }

    fn next(&mut self) -> Result<Option<FrameOf>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let factor = if self.light.is_some() { 2 } else { 1 };
        let row = crate::frame::stride(self.width, self.layout).saturating_mul(factor);
        let bytes = buffer_bytes(self.width, self.height, self.layout)?.saturating_mul(factor);
        let rows = usize::try_from(self.height).unwrap_or(usize::MAX);
        let mut pixels = vec![0; bytes];
        let mut delay_ms = 0;
        loop {
            let event = self.step(Some(&mut [JxlOutputBuffer::new(&mut pixels, rows, row)]))?;
            match event {
                Event::FrameHeader => {
                    let duration = self.decoder.frame_header().and_then(|header| header.duration);
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "casts of floats saturate"
                    )]
                    let duration = duration.unwrap_or(0.0).round() as u32;
                    delay_ms = duration;
                }
                Event::FrameComplete { has_more_frames } => {
                    self.is_over = !has_more_frames;
                    break;
                }
                Event::Complete => {
                    self.is_over = true;
                    return Ok(None);
                }
                _ => {}
            }
        }
        let pixels = match self.light {
            Some(light) => shown(&pixels, self.layout.channels(), light),
            None => pixels,
        };
        let frame = Frame { width: self.width, height: self.height, layout: self.layout, pixels };
        Ok(Some(FrameOf { frame, delay_ms }))
    }
}

/// sRGB of pixels of sixteen bits, little end first.
fn shown(pixels: &[u8], channels: usize, light: Light) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len() / 2);
    for pixel in pixels.chunks_exact(2 * channels) {
        let (samples, _) = pixel.as_chunks::<2>();
        let part = |&sample: &[u8; 2]| f32::from(u16::from_le_bytes(sample)) / f32::from(u16::MAX);
        if let [red, green, blue, rest @ ..] = samples {
            out.extend(light.shown([red, green, blue].map(part)));
            out.extend(rest.iter().flat_map(|alpha| super::narrowed(alpha, u16::from_le_bytes)));
        }
    }
    out
}

/// A way to sRGB for colours that eight bits are too few for.
fn light(profile: &JxlColorProfile) -> Option<Light> {
    let JxlColorProfile::Simple(JxlColorEncoding::RgbColorSpace { primaries, transfer_function, .. }) =
        profile
    else {
        return None;
    };
    let transfer = match transfer_function {
        JxlTransferFunction::PQ => 16,
        JxlTransferFunction::HLG => 18,
        JxlTransferFunction::Linear if !matches!(primaries, JxlPrimaries::Chromaticities { .. }) => 8,
        _ => return None,
    };
    let primaries = match primaries {
        JxlPrimaries::BT2100 => 9,
        JxlPrimaries::P3 => 12,
        _ => 1,
    };
    Light::of(transfer, primaries)
}

fn is_srgb(encoding: &JxlColorEncoding) -> bool {
    let is_usual = |transfer: &JxlTransferFunction| matches!(transfer, JxlTransferFunction::SRGB);
    match encoding {
        JxlColorEncoding::RgbColorSpace { primaries, transfer_function, .. } => {
            *primaries == JxlPrimaries::SRGB && is_usual(transfer_function)
        }
        JxlColorEncoding::GrayscaleColorSpace { transfer_function, .. } => is_usual(transfer_function),
        JxlColorEncoding::XYB { .. } => false,
    }
}

/// The source as the decoder reads it.
struct Bytes<'a> {
    input: Input<'a>,
    left: usize,
}

impl JxlBitstreamInput for Bytes<'_> {
    fn available_bytes(&mut self) -> io::Result<usize> {
        Ok(self.left)
    }

    fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut total = 0;
        for buffer in buffers {
            let mut rest: &mut [u8] = buffer;
            while !rest.is_empty() {
                let count = self.input.read(rest)?;
                if count == 0 {
                    return Ok(total);
                }
                (total, self.left) = (total + count, self.left.saturating_sub(count));
                rest = rest.get_mut(count..).unwrap_or_default();
            }
        }
        Ok(total)
    }
}

/// Runs the decoder's pieces of work one after the other, for as long as there is time.
struct Watch(Deadline);

impl Watch {
    fn check(&self) -> jxl::error::Result<()> {
        self.0.check().map_err(|_| io::Error::from(io::ErrorKind::TimedOut).into())
    }
}

impl JxlParallelRunner for Watch {
    fn run(&mut self, count: usize, work: &JxlParallelRunnerFun<'_>) -> jxl::error::Result<()> {
        for number in 0..count {
            self.check()?;
            work(number)?;
        }
        Ok(())
    }

    fn num_threads(&self) -> usize {
        1
    }

    fn run_ordered(
        &mut self,
        count: usize,
        _threads: Option<usize>,
        work: &JxlParallelRunnerFun<'_>,
    ) -> jxl::error::Result<()> {
        self.run(count, work)
    }
}
