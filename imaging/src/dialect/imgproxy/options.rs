//! Options one by one.

use super::values::{self, Known, flag, gravity, side, whole, wrong};
use crate::dialect::refusal::text;
use crate::dialect::rules::ImgproxyRules;
use crate::dialect::{Dialect, Fault, Refusal, refuse};
use crate::path::{AskedLimits, Wants, quoted};
use crate::transform::{Format, Gravity, Length, Milli, Rgb, Sides, Trim};

mod answer;
mod look;

/// Most options of one path, those of its presets among them.
const OPTIONS_MAX: usize = 256;

/// Options of imgproxy's paid edition, by their long and short names.
const PAID: &str = "\
    resizing_algorithm ra objects_position obj_pos op crop_aspect_ratio crop_ar car \
    background_alpha bga adjust a brightness br contrast co saturation sa monochrome mc duotone \
    dt unsharp_masking ush blur_detections bd blur_areas ba draw_detections dd crop_objects \
    colorize col gradient gr watermark_url wmu watermark_text wmt watermark_size wms \
    watermark_rotate wm_rot wmr watermark_shadow wmsh style st dpi autoquality aq jpeg_options \
    jpgo png_options pngo webp_options webpo avif_options avifo page pg pages pgs \
    disable_animation da fallback_image_url fiu hashsum hs color_profile cp";

/// How options of the paid edition about videos begin.
const PAID_VIDEO: [&str; 5] = ["video_thumbnail_", "vts", "vtk", "vtt", "vta"];

/// Options of the free edition, by their long and short names.
const FREE: &str = "\
    resize rs size s resizing_type rt width w height h min-width min_width mw min-height \
    min_height mh zoom z dpr enlarge el extend ex extend_aspect_ratio extend_ar exar gravity g \
    crop c trim t padding pd auto_rotate ar rotate rot flip fl background bg blur bl sharpen sh \
    pixelate pix watermark wm strip_metadata sm keep_copyright kcr strip_color_profile scp \
    enforce_thumbnail eth quality q format_quality fq max_bytes mb format f ext skip_processing \
    skp raw cachebuster cb expires exp filename fn return_attachment att preset pr \
    max_src_resolution msr max_src_file_size msfs max_animation_frames maf \
    max_animation_frame_resolution mafr max_result_dimension mrd";

/// Whether a name is an option of the paid edition.
pub(super) fn is_paid(name: &str) -> bool {
    PAID.split(' ').any(|paid| paid == name) || PAID_VIDEO.iter().any(|start| name.starts_with(start))
}

/// Whether a name is an option of the free edition.
pub(super) fn is_name(name: &str) -> bool {
    FREE.split(' ').any(|free| free == name)
}

/// One option as written.
#[derive(Debug, Clone)]
pub(super) struct UrlOption<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: Vec<&'a str>,
}

/// Options, and the segments of the source behind them.
pub(super) fn split<'a, 'b>(segments: &'b [&'a str]) -> Result<(Vec<UrlOption<'a>>, &'b [&'a str]), String> {
    let count = segments.iter().take_while(|segment| segment.contains(':')).count();
    if count > OPTIONS_MAX {
        return Err(format!("the path has {count} options, at most {OPTIONS_MAX}"));
    }
    let (options, source) = segments.split_at_checked(count).unwrap_or((segments, &[]));
    Ok((options.iter().map(|segment| option(segment)).collect(), source))
}

fn option(segment: &str) -> UrlOption<'_> {
    let mut parts = segment.split(':');
    UrlOption { name: parts.next().unwrap_or_default(), arguments: parts.collect() }
}

/// Why an option is not accepted.
#[derive(Debug)]
pub(super) enum Problem {
    /// It is wrong, or not available.
    Url(String),
    /// The format cannot be written: 422, as there.
    Format(String),
}

impl Problem {
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::Url(reason) => refuse(Dialect::Imgproxy, Fault::Url, reason),
            Self::Format(reason) => text(422, "Invalid URL".into(), reason),
        }
    }
}

impl From<String> for Problem {
    fn from(reason: String) -> Self {
        Self::Url(reason)
    }
}

/// How a picture fills its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Resizing {
    #[default]
    Fit,
    Fill,
    FillDown,
    Force,
    Auto,
}

/// Options on their way to a transform.
#[derive(Debug)]
pub(super) struct Reading<'r> {
    rules: &'r ImgproxyRules,
    /// Options read so far.
    count: usize,
    pub(super) resizing: Resizing,
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    pub(super) min_width: Option<u32>,
    pub(super) min_height: Option<u32>,
    pub(super) zoom: (Milli, Milli),
    pub(super) dpr: Milli,
    pub(super) enlarges: bool,
    pub(super) extends: Option<Gravity>,
    pub(super) extends_shape: Option<Gravity>,
    pub(super) gravity: Gravity,
    pub(super) crop: (Length, Length),
    pub(super) crop_gravity: Option<Gravity>,
    pub(super) trim: Option<Trim>,
    pub(super) padding: Sides,
    pub(super) ignores_orientation: bool,
    pub(super) rotate: Milli,
    pub(super) flips: (bool, bool),
    pub(super) background: Option<Rgb>,
    pub(super) look: look::Look,
    pub(super) answer: answer::Answer,
    pub(super) limits: AskedLimits,
}

impl<'r> Reading<'r> {
    pub(super) fn new(rules: &'r ImgproxyRules) -> Self {
        Self {
            rules,
            count: 0,
            resizing: Resizing::Fit,
            width: None,
            height: None,
            min_width: None,
            min_height: None,
            zoom: (Milli::ONE, Milli::ONE),
            dpr: Milli::ONE,
            enlarges: false,
            extends: None,
            extends_shape: None,
            gravity: Gravity::default(),
            crop: (Length::default(), Length::default()),
            crop_gravity: None,
            trim: None,
            padding: Sides::default(),
            ignores_orientation: false,
            rotate: Milli::ZERO,
            flips: (false, false),
            background: None,
            look: look::Look::default(),
            answer: answer::Answer::default(),
            limits: AskedLimits::default(),
        }
    }

    pub(super) fn is_raw(&self) -> bool {
        self.answer.wants.raw
    }

    pub(super) fn wants(&self) -> Wants {
        Wants { limits: self.limits.clone(), ..self.answer.wants.clone() }
    }

    pub(super) fn take_default_preset(&mut self) -> Result<(), Problem> {
        if self.rules.presets.contains_key("default") { self.presets(&["default"], &[]) } else { Ok(()) }
    }

    pub(super) fn take_all(&mut self, options: &[UrlOption<'_>]) -> Result<(), Problem> {
        self.take_nested(options, &[])
    }

    pub(super) fn take_format(&mut self, extension: &str) -> Result<(), Problem> {
        self.answer.format = Some(writable(extension)?);
        Ok(())
    }

    /// `within` are the presets that are being read.
    fn take_nested(&mut self, options: &[UrlOption<'_>], within: &[&str]) -> Result<(), Problem> {
        for option in options {
            self.count += 1;
            if self.count > OPTIONS_MAX {
                return Err(format!("more than {OPTIONS_MAX} options, with those of presets").into());
            }
            if matches!(option.name, "preset" | "pr") {
                self.presets(&option.arguments, within)?;
            } else {
                self.take(option.name, &option.arguments)?;
            }
        }
        Ok(())
    }

    fn presets(&mut self, names: &[&str], within: &[&str]) -> Result<(), Problem> {
        let rules = self.rules;
        for name in names {
            let Some((name, preset)) = rules.presets.get_key_value(*name) else {
                return Err(format!("there is no preset {}", quoted(name)).into());
            };
            if within.contains(&name.as_str()) {
                // a preset that names itself; imgproxy warns and goes on
                continue;
            }
            let segments: Vec<&str> = preset.trim().split('/').collect();
            let (options, rest) = split(&segments)?;
            if !rest.is_empty() {
                return Err(format!("preset {} is not a list of options", quoted(name)).into());
            }
            let mut within = within.to_vec();
            within.push(name.as_str());
            self.take_nested(&options, &within)?;
        }
        Ok(())
    }

    fn take(&mut self, name: &str, arguments: &[&str]) -> Result<(), Problem> {
        let is_known = self.size(name, arguments)?
            || self.place(name, arguments)?
            || self.look.take(name, arguments)?
            || self.answer.take(name, arguments)?
            || self.limit(name, arguments)?;
        if is_known {
            return Ok(());
        }
        if is_paid(name) {
            return Err(format!("option {name} is of imgproxy's paid edition and not available").into());
        }
        Err(format!("unknown option {}", quoted(name)).into())
    }

    fn size(&mut self, name: &str, arguments: &[&str]) -> Result<bool, String> {
        match name {
            "resize" | "rs" => {
                at_most(name, arguments, 8)?;
                let (first, rest) = arguments.split_first().ok_or("resize has no arguments")?;
                if !first.is_empty() {
                    self.resizing = resizing(first)?;
                }
                self.box_size(rest)?;
            }
            "size" | "s" => {
                at_most(name, arguments, 7)?;
                self.box_size(arguments)?;
            }
            "resizing_type" | "rt" => self.resizing = resizing(single(name, arguments)?)?,
            "width" | "w" => self.width = side(name, single(name, arguments)?)?,
            "height" | "h" => self.height = side(name, single(name, arguments)?)?,
            "min-width" | "min_width" | "mw" => self.min_width = side(name, single(name, arguments)?)?,
            "min-height" | "min_height" | "mh" => self.min_height = side(name, single(name, arguments)?)?,
            "zoom" | "z" => self.zoom = zoom(name, arguments)?,
            "dpr" => self.dpr = values::factor(name, single(name, arguments)?)?,
            "enlarge" | "el" => self.enlarges = flag(single(name, arguments)?),
            "extend" | "ex" => self.extends = extend(name, arguments)?,
            "extend_aspect_ratio" | "extend_ar" | "exar" => self.extends_shape = extend(name, arguments)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `width:height:enlarge:extend:gravity`; empty ones stay as they are.
    fn box_size(&mut self, arguments: &[&str]) -> Result<(), String> {
        let given = |at: usize| arguments.get(at).copied().filter(|text| !text.is_empty());
        if let Some(width) = given(0) {
            self.width = side("width", width)?;
        }
        if let Some(height) = given(1) {
            self.height = side("height", height)?;
        }
        if let Some(enlarge) = given(2) {
            self.enlarges = flag(enlarge);
        }
        if given(3).is_some() {
            self.extends = extend("extend", arguments.get(3..).unwrap_or_default())?;
        }
        Ok(())
    }

    fn place(&mut self, name: &str, arguments: &[&str]) -> Result<bool, String> {
        match name {
            "gravity" | "g" => self.gravity = gravity(name, arguments)?,
            "crop" | "c" => {
                let (width, rest) = arguments.split_first().ok_or("crop has no arguments")?;
                self.crop.0 = values::crop_side(name, width)?;
                if let Some((height, place)) = rest.split_first() {
                    self.crop.1 = values::crop_side(name, height)?;
                    if !place.is_empty() {
                        self.crop_gravity = Some(gravity(name, place)?);
                    }
                }
            }
            "trim" | "t" => self.trim = trim(name, arguments)?,
            "padding" | "pd" => self.padding = padding(name, arguments, self.padding)?,
            "auto_rotate" | "ar" => self.ignores_orientation = !flag(single(name, arguments)?),
            "rotate" | "rot" => self.rotate = quarter_turns(name, single(name, arguments)?)?,
            "flip" | "fl" => {
                at_most(name, arguments, 2)?;
                let given = |at: usize| arguments.get(at).copied().filter(|text| !text.is_empty());
                let (horizontal, vertical) = self.flips;
                self.flips = (given(0).map_or(horizontal, flag), given(1).map_or(vertical, flag));
            }
            "background" | "bg" => self.background = background(name, arguments)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Limits may be lowered, which is why they need no permission here.
    fn limit(&mut self, name: &str, arguments: &[&str]) -> Result<bool, String> {
        let megapixels = |value: &str| {
            let pixels =
                values::decimal(name, value, 4_000).map(|megapixels| u64::from(megapixels.0) * 1_000)?;
            Ok::<_, String>((pixels > 0).then_some(pixels))
        };
        let limits = &mut self.limits;
        match name {
            "max_src_resolution" | "msr" => limits.source_pixels = megapixels(single(name, arguments)?)?,
            "max_src_file_size" | "msfs" => {
                let bytes = whole(name, single(name, arguments)?)?;
                limits.source_bytes = (bytes > 0).then_some(u64::from(bytes));
            }
            "max_animation_frames" | "maf" => {
                limits.frames = Some(whole(name, single(name, arguments)?)?).filter(|frames| *frames > 0);
            }
            "max_animation_frame_resolution" | "mafr" => {
                limits.frame_pixels = megapixels(single(name, arguments)?)?;
            }
            "max_result_dimension" | "mrd" => {
                limits.result_side = Some(whole(name, single(name, arguments)?)?).filter(|side| *side > 0);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn at_most(name: &str, arguments: &[&str], most: usize) -> Result<(), String> {
    if arguments.len() <= most {
        return Ok(());
    }
    Err(format!("{name} has {} arguments, at most {most}", arguments.len()))
}

fn single<'a>(name: &str, arguments: &[&'a str]) -> Result<&'a str, String> {
    match arguments {
        [only] => Ok(only),
        _ => Err(format!("{name} has {} arguments, one is needed", arguments.len())),
    }
}

fn resizing(value: &str) -> Result<Resizing, String> {
    Ok(match value {
        "fit" => Resizing::Fit,
        "fill" => Resizing::Fill,
        "fill-down" => Resizing::FillDown,
        "force" => Resizing::Force,
        "auto" => Resizing::Auto,
        _ => return Err(wrong("resizing_type", value, "fit, fill, fill-down, force, auto")),
    })
}

fn zoom(name: &str, arguments: &[&str]) -> Result<(Milli, Milli), String> {
    match arguments {
        [both] => values::factor(name, both).map(|both| (both, both)),
        [x, y] => Ok((values::factor(name, x)?, values::factor(name, y)?)),
        _ => Err(wrong(name, &arguments.join(":"), "one factor, or one for each side")),
    }
}

/// None when it is switched off.
fn extend(name: &str, arguments: &[&str]) -> Result<Option<Gravity>, String> {
    at_most(name, arguments, 4)?;
    let (first, place) = arguments.split_first().ok_or_else(|| format!("{name} has no arguments"))?;
    let place = if place.is_empty() { Gravity::default() } else { gravity(name, place)? };
    if place == Gravity::Attention {
        return Err(wrong(name, "sm", "a place, or fp:x:y"));
    }
    Ok(flag(first).then_some(place))
}

/// `threshold:colour:equal_hor:equal_ver`; without a threshold nothing is trimmed.
fn trim(name: &str, arguments: &[&str]) -> Result<Option<Trim>, String> {
    at_most(name, arguments, 4)?;
    let given = |at: usize| arguments.get(at).copied().filter(|text| !text.is_empty());
    let Some(threshold) = given(0) else { return Ok(None) };
    let threshold = values::decimal(name, threshold, 4_000)?.0 / 1_000;
    let colour = given(1).map(|text| values::hexadecimal(name, text)).transpose()?;
    Ok(Some(Trim::Margins {
        tolerance: u8::try_from(threshold).unwrap_or(u8::MAX),
        colour,
        equal_horizontal: given(2).is_some_and(flag),
        equal_vertical: given(3).is_some_and(flag),
    }))
}

/// As in CSS: what is left out is as its counterpart.
fn padding(name: &str, arguments: &[&str], before: Sides) -> Result<Sides, String> {
    at_most(name, arguments, 4)?;
    let given = |at: usize| {
        let text = arguments.get(at).copied().filter(|text| !text.is_empty());
        text.map(|text| side(name, text).map(|side| side.unwrap_or(0))).transpose()
    };
    let top = given(0)?.unwrap_or(before.top);
    let right = given(1)?.unwrap_or(top);
    Ok(Sides { top, right, bottom: given(2)?.unwrap_or(top), left: given(3)?.unwrap_or(right) })
}

fn quarter_turns(name: &str, value: &str) -> Result<Milli, String> {
    let bad = || wrong(name, value, "a multiple of 90");
    let angle = value.parse::<i32>().map_err(|_| bad())?;
    if angle % 90 != 0 {
        return Err(bad());
    }
    Ok(Milli(angle.rem_euclid(360).unsigned_abs() * 1_000))
}

fn background(name: &str, arguments: &[&str]) -> Result<Option<Rgb>, String> {
    match arguments {
        [""] => Ok(None),
        [digits] => values::hexadecimal(name, digits).map(Some),
        [red, green, blue] => {
            let channel =
                |text: &str| text.parse::<u8>().map_err(|_| wrong(name, text, "0 to 255 for each colour"));
            Ok(Some(Rgb { red: channel(red)?, green: channel(green)?, blue: channel(blue)? }))
        }
        _ => Err(wrong(name, &arguments.join(":"), "hexadecimal digits, or red:green:blue")),
    }
}

/// A format that can be written.
fn writable(name: &str) -> Result<Format, Problem> {
    match values::format(name) {
        Some(Known::Written(format)) => Ok(format),
        Some(Known::Only(word)) => Err(Problem::Format(format!("{word} is not written by this version"))),
        None => Err(wrong("format", name, "jpg, png, webp, avif, gif, jxl, svg, best").into()),
    }
}
