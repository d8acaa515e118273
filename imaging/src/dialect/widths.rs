//! Widths from a list, so that strangers cannot fill a cache with every width there is.

use std::fmt;

use super::WidthPolicy;
use crate::transform::{Milli, SIDE_MAX, Transform};

/// A width that is not on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WidthRefused {
    /// The width asked for, in pixels; none: it depends on the source.
    pub width: Option<u32>,
    /// The list.
    pub allowed: Vec<u32>,
}

impl fmt::Display for WidthRefused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.width {
            Some(width) => write!(out, "a width of {width} is not allowed")?,
            None => out.write_str("a width that depends on the source is not allowed")?,
        }
        let allowed: Vec<_> = self.allowed.iter().map(u32::to_string).collect();
        write!(out, "; allowed: {}", allowed.join(", "))
    }
}

impl std::error::Error for WidthRefused {}

/// The transform with a width from the list; where that is another one, the height changes in proportion. A transform
/// without a width stays: its height is asked for, or the source's size. An empty list allows everything.
///
/// # Errors
/// [`WidthRefused`] for other widths where the policy says so, and for factors on top of the source's size.
pub fn fit_width(all: &Transform, widths: &[u32], policy: WidthPolicy) -> Result<Transform, WidthRefused> {
    let refused = |width| WidthRefused { width, allowed: widths.to_vec() };
    if widths.is_empty() {
        return Ok(all.clone());
    }
    let mut all = all.clone();
    match (all.zoom, all.width) {
        (None, _) => {}
        // factors would lead around the list
        (Some((x, y)), Some(width)) if x == y => {
            all.zoom = None;
            all.width = Some(scaled(width, x.0, Milli::ONE.0));
            all.height = all.height.map(|height| scaled(height, y.0, Milli::ONE.0));
        }
        (Some(_), _) => return Err(refused(None)),
    }
    let Some(width) = all.width else { return Ok(all) };
    let next = widths.iter().copied().filter(|allowed| *allowed >= width).min();
    let fitting = next.or_else(|| widths.iter().copied().max()).unwrap_or(width).clamp(1, SIDE_MAX);
    if fitting != width {
        if policy == WidthPolicy::Refuse {
            return Err(refused(Some(width)));
        }
        all.width = Some(fitting);
        all.height = all.height.map(|height| scaled(height, fitting, width));
    }
    Ok(all.canonical())
}

/// `side` times `part` over `whole`, rounded, as a side.
fn scaled(side: u32, part: u32, whole: u32) -> u32 {
    let whole = u64::from(whole.max(1));
    let scaled = (u64::from(side) * u64::from(part) + whole / 2) / whole;
    u32::try_from(scaled).unwrap_or(SIDE_MAX).clamp(1, SIDE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(options: &str, policy: WidthPolicy) -> Result<String, String> {
        let all: Transform = options.parse().unwrap();
        fit_width(&all, &[320, 640, 1280], policy)
            .map(|all| all.to_string())
            .map_err(|refused| refused.to_string())
    }

    #[test]
    fn widths_are_rounded_up_with_their_heights() {
        for (options, rounded) in [
            ("w=320", "w=320,fit=scale-down,f=auto"),
            ("w=1", "w=320,fit=scale-down,f=auto"),
            ("w=321", "w=640,fit=scale-down,f=auto"),
            ("w=5000", "w=1280,fit=scale-down,f=auto"),
            ("w=400,h=300,fit=cover", "w=640,h=480,fit=cover,f=auto"),
            ("w=5000,h=1", "w=1280,h=1,fit=scale-down,f=auto"),
            ("h=77", "h=77,fit=scale-down,f=auto"),
            ("w=300,h=30,scale=2", "w=640,h=64,fit=scale-down,f=auto"),
            ("f=webp", "f=webp"),
        ] {
            assert_eq!(fitted(options, WidthPolicy::RoundUp).as_deref(), Ok(rounded), "{options}");
        }
    }

    #[test]
    fn other_widths_are_refused_by_choice() {
        assert_eq!(fitted("w=640", WidthPolicy::Refuse).as_deref(), Ok("w=640,fit=scale-down,f=auto"));
        let refused = fitted("w=641", WidthPolicy::Refuse).unwrap_err();
        assert_eq!(refused, "a width of 641 is not allowed; allowed: 320, 640, 1280");
        for options in ["scale=0.5", "h=3,scale=2", "w=320,scale=1;2"] {
            assert!(
                fitted(options, WidthPolicy::RoundUp).unwrap_err().contains("depends on the source"),
                "{options}"
            );
        }
        let all: Transform = "w=77".parse().unwrap();
        assert_eq!(fit_width(&all, &[], WidthPolicy::Refuse), Ok(all));
    }
}
