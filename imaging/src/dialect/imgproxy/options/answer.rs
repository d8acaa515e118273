//! Options about the file and the answer.

use data_encoding::BASE64URL_NOPAD;
use percent_encoding::percent_decode_str;

use super::{Problem, at_most, single, values, writable};
use crate::dialect::imgproxy::values::{Known, flag, quality, whole, wrong};
use crate::path::Wants;
use crate::transform::Format;

/// Longest file name and cache buster, in bytes.
const TEXT_BYTES_MAX: usize = 255;

/// What is asked of the file and the answer.
#[derive(Debug, Default)]
pub(in crate::dialect::imgproxy) struct Answer {
    pub(in crate::dialect::imgproxy) wants: Wants,
    pub(in crate::dialect::imgproxy) format: Option<Format>,
    pub(in crate::dialect::imgproxy) quality: Option<u8>,
    pub(in crate::dialect::imgproxy) format_quality: Vec<(Format, u8)>,
    pub(in crate::dialect::imgproxy) max_bytes: Option<u32>,
    pub(in crate::dialect::imgproxy) keeps_metadata: bool,
    pub(in crate::dialect::imgproxy) keeps_copyright: bool,
    pub(in crate::dialect::imgproxy) keeps_profile: bool,
}

impl Answer {
    pub(super) fn take(&mut self, name: &str, arguments: &[&str]) -> Result<bool, Problem> {
        Ok(self.file(name, arguments)? || self.answer(name, arguments)?)
    }

    fn file(&mut self, name: &str, arguments: &[&str]) -> Result<bool, Problem> {
        match name {
            "strip_metadata" | "sm" => self.keeps_metadata = !flag(single(name, arguments)?),
            "keep_copyright" | "kcr" => self.keeps_copyright = flag(single(name, arguments)?),
            "strip_color_profile" | "scp" => self.keeps_profile = !flag(single(name, arguments)?),
            "enforce_thumbnail" | "eth" => {
                if flag(single(name, arguments)?) {
                    return Err(format!("{name} is not available").into());
                }
            }
            "quality" | "q" => {
                let text = single(name, arguments)?;
                self.quality = if text == "0" { None } else { Some(quality(name, text)?) };
            }
            "format_quality" | "fq" => self.format_qualities(name, arguments)?,
            "max_bytes" | "mb" => {
                self.max_bytes = Some(whole(name, single(name, arguments)?)?).filter(|bytes| *bytes > 0);
            }
            "format" | "f" | "ext" => self.format = Some(writable(single(name, arguments)?)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn format_qualities(&mut self, name: &str, arguments: &[&str]) -> Result<(), Problem> {
        for pair in arguments.chunks(2) {
            let [format, text] = pair else {
                return Err(format!("{name} has a format without a quality").into());
            };
            let known = values::format(format).ok_or_else(|| {
                wrong(name, format, "formats with their qualities, such as webp:70:avif:50")
            })?;
            let quality = quality(name, text)?;
            if let Known::Written(format) = known {
                self.format_quality.retain(|(one, _)| *one != format);
                self.format_quality.push((format, quality));
            }
        }
        Ok(())
    }

    fn answer(&mut self, name: &str, arguments: &[&str]) -> Result<bool, Problem> {
        match name {
            "skip_processing" | "skp" => {
                for format in arguments {
                    let known = values::format(format)
                        .ok_or_else(|| wrong(name, format, "formats, such as gif:svg"))?;
                    let word = match known {
                        Known::Written(format) => format.as_str(),
                        Known::Only(word) => word,
                    };
                    if !self.wants.passed_formats.contains(&word) {
                        self.wants.passed_formats.push(word);
                    }
                }
            }
            "raw" => self.wants.raw = flag(single(name, arguments)?),
            "cachebuster" | "cb" => self.wants.cache_buster = buster(name, single(name, arguments)?)?,
            "expires" | "exp" => {
                let text = single(name, arguments)?;
                let seconds = text.parse::<i64>().map_err(|_| wrong(name, text, "seconds since 1970"))?;
                self.wants.expires_s = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
            }
            "filename" | "fn" => self.wants.filename = Some(filename(name, arguments)?),
            "return_attachment" | "att" => self.wants.attachment = flag(single(name, arguments)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn buster(name: &str, text: &str) -> Result<Option<String>, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("{name} is {} bytes long, at most {TEXT_BYTES_MAX}", text.len()));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// `name`, percent-encoded, or `name:1` in base64url.
fn filename(name: &str, arguments: &[&str]) -> Result<String, String> {
    at_most(name, arguments, 2)?;
    let given = arguments.first().copied().unwrap_or_default();
    let bad = || wrong(name, given, &format!("1 to {TEXT_BYTES_MAX} printable characters, without slashes"));
    let text = if arguments.get(1).copied().is_some_and(flag) {
        let bytes = BASE64URL_NOPAD.decode(given.trim_end_matches('=').as_bytes()).map_err(|_| bad())?;
        String::from_utf8(bytes).map_err(|_| bad())?
    } else {
        percent_decode_str(given).decode_utf8().map_err(|_| bad())?.into_owned()
    };
    let is_fit = (1..=TEXT_BYTES_MAX).contains(&text.len())
        && !text.chars().any(|letter| letter.is_control() || matches!(letter, '/' | '\\'));
    if is_fit { Ok(text) } else { Err(bad()) }
}
