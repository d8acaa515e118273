//! Options about pixels that stay where they are.

use super::{at_most, single, values};
use crate::transform::{Compass, Length, Milli, Spot};

/// What is asked of the look.
#[derive(Debug, Default)]
pub(in crate::dialect::imgproxy) struct Look {
    pub(in crate::dialect::imgproxy) blur: Milli,
    pub(in crate::dialect::imgproxy) sharpen: Milli,
    pub(in crate::dialect::imgproxy) pixelate: u32,
    pub(in crate::dialect::imgproxy) mark: Option<Mark>,
}

/// A watermark but for its picture.
#[derive(Debug, Clone, Copy)]
pub(in crate::dialect::imgproxy) struct Mark {
    pub(in crate::dialect::imgproxy) opacity: Milli,
    pub(in crate::dialect::imgproxy) spot: Spot,
    pub(in crate::dialect::imgproxy) x: Length,
    pub(in crate::dialect::imgproxy) y: Length,
    pub(in crate::dialect::imgproxy) scale: Milli,
}

impl Look {
    pub(super) fn take(&mut self, name: &str, arguments: &[&str]) -> Result<bool, String> {
        match name {
            "blur" | "bl" => self.blur = values::decimal(name, single(name, arguments)?, 250)?,
            "sharpen" | "sh" => {
                let sigma = values::decimal(name, single(name, arguments)?, 250)?;
                self.sharpen = sigma.min(Milli(10_000));
            }
            "pixelate" | "pix" => {
                self.pixelate = values::whole(name, single(name, arguments)?)?;
                if self.pixelate > 1_024 {
                    return Err(values::wrong(name, &self.pixelate.to_string(), "0 to 1024"));
                }
            }
            "watermark" | "wm" => self.mark = Some(mark(name, arguments)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `opacity:position:x:y:scale`.
fn mark(name: &str, arguments: &[&str]) -> Result<Mark, String> {
    at_most(name, arguments, 5)?;
    let given = |at: usize| arguments.get(at).copied().filter(|text| !text.is_empty());
    let opacity = values::decimal(name, arguments.first().copied().unwrap_or_default(), 1)?;
    let spot = match given(1) {
        None => Spot::At(Compass::Center),
        Some("re") => Spot::Tiled,
        Some("ch") => return Err("watermark position ch is of the paid edition".into()),
        Some(word) => Spot::At(
            values::compass(word)
                .ok_or_else(|| values::wrong(name, word, "ce, no, so, ea, we, noea, nowe, soea, sowe, re"))?,
        ),
    };
    let offset =
        |at: usize| given(at).map_or_else(|| Ok(Length::default()), |text| values::length(name, text));
    let scale = given(4).map_or(Ok(Milli::ZERO), |text| values::decimal(name, text, 1))?;
    Ok(Mark { opacity, spot, x: offset(2)?, y: offset(3)?, scale })
}
