//! The colours of a picture: the few that it is made of, and their mean.
//!
//! Colours are compared in Oklab, where a distance is about what the eye sees. They are grouped by k-means that starts from
//! the commonest colour and then from the farthest common ones, so that a small red boat on a grey sea is found, and the
//! same picture always gives the same answer.

use std::collections::BTreeMap;

use crate::describe::Small;
use crate::transform::Rgb;

/// Most colours in a palette.
const COLOURS_MAX: usize = 6;

/// Rounds of k-means; pictures settle in five to ten.
const ROUNDS_MAX: u32 = 12;

/// Colours nearer to each other than this are one; the eye tells about 0.02 apart side by side.
const SAME: f32 = 0.06;

/// Smallest part of a picture that makes a colour.
const SHARE_MIN: f32 = 0.004;

/// A colour with the part of the picture that looks like it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Swatch {
    pub(crate) colour: Rgb,
    /// Of the visible pixels, 0 to 1.
    pub(crate) share: f32,
}

/// Lightness, green to red, blue to yellow.
type Oklab = [f32; 3];

/// Pixels taken together, weighted by their alpha.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    sum: Oklab,
    weight: f32,
}

impl Group {
    fn add(&mut self, colour: Oklab, weight: f32) {
        for (sum, value) in self.sum.iter_mut().zip(colour) {
            *sum += value * weight;
        }
        self.weight += weight;
    }

    fn join(&mut self, other: Self) {
        for (sum, value) in self.sum.iter_mut().zip(other.sum) {
            *sum += value;
        }
        self.weight += other.weight;
    }

    fn colour(&self) -> Oklab {
        self.sum.map(|sum| if self.weight > 0.0 { sum / self.weight } else { 0.0 })
    }
}

/// At most six colours, the commonest first, which is the dominant one; none when nothing is visible.
pub(crate) fn palette(small: &Small) -> Vec<Swatch> {
    let groups = common(small);
    let total: f32 = groups.iter().map(|group| group.weight).sum();
    if total <= 0.0 {
        return Vec::new();
    }
    let mut centres = seeds(&groups);
    for _ in 0..ROUNDS_MAX {
        let moved = assigned(&groups, &centres);
        let is_settled = moved == centres;
        centres = moved;
        if is_settled {
            break;
        }
    }
    let mut found = distinct(&groups, &centres);
    found.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    // the first stays even in a picture of nothing but small parts
    let is_large = |index: usize, group: &Group| index == 0 || group.weight >= SHARE_MIN * total;
    let large = found.iter().enumerate().filter(|(index, group)| is_large(*index, group));
    large.map(|(_, group)| Swatch { colour: rgb(group.colour()), share: group.weight / total }).collect()
}

/// The mean in linear light, as a picture of one pixel would show it; none when nothing is visible.
pub(crate) fn average(small: &Small) -> Option<Rgb> {
    let mut sums = [0.0; 3];
    let mut weight = 0.0;
    for &[red, green, blue, alpha] in small.pixels() {
        let alpha = f64::from(alpha);
        for (sum, value) in sums.iter_mut().zip([red, green, blue]) {
            *sum += to_linear(value) * alpha;
        }
        weight += alpha;
    }
    let [red, green, blue] = sums.map(|sum| to_byte(sum / weight));
    (weight > 0.0).then_some(Rgb { red, green, blue })
}

/// The colours of the picture, those with the same upper four bits of each channel together.
fn common(small: &Small) -> Vec<Group> {
    let mut groups: BTreeMap<[u8; 3], Group> = BTreeMap::new();
    for &[red, green, blue, alpha] in small.pixels() {
        if alpha > 0 {
            let group = groups.entry([red, green, blue].map(|value| value >> 4)).or_default();
            group.add(oklab(Rgb { red, green, blue }), f32::from(alpha) / 255.0);
        }
    }
    groups.into_values().collect()
}

/// Where grouping begins: the commonest colour, then always the one that is far from all before and not rare.
fn seeds(groups: &[Group]) -> Vec<Oklab> {
    let mut seeds: Vec<Oklab> = Vec::with_capacity(COLOURS_MAX);
    let mut distances = vec![1.0_f32; groups.len()];
    while seeds.len() < COLOURS_MAX {
        let worth = |(group, distance): &(&Group, &f32)| group.weight.sqrt() * **distance;
        let candidates = groups.iter().zip(&distances);
        let Some((best, distance)) = candidates.max_by(|one, other| worth(one).total_cmp(&worth(other)))
        else {
            break;
        };
        if *distance <= 0.0 {
            break;
        }
        let colour = best.colour();
        seeds.push(colour);
        let is_first = seeds.len() == 1;
        for (group, distance) in groups.iter().zip(&mut distances) {
            let to_seed = squared(group.colour(), colour);
            *distance = if is_first { to_seed } else { distance.min(to_seed) };
        }
    }
    seeds
}

/// The middle of what is nearest to each centre.
fn assigned(groups: &[Group], centres: &[Oklab]) -> Vec<Oklab> {
    gathered(groups, centres).iter().filter(|group| group.weight > 0.0).map(Group::colour).collect()
}

fn gathered(groups: &[Group], centres: &[Oklab]) -> Vec<Group> {
    let mut gathered = vec![Group::default(); centres.len()];
    for group in groups {
        let colour = group.colour();
        let distances = centres.iter().map(|&centre| squared(colour, centre));
        let nearest = distances.zip(&mut gathered).min_by(|(one, _), (other, _)| one.total_cmp(other));
        if let Some((_, nearest)) = nearest {
            nearest.join(*group);
        }
    }
    gathered
}

/// Groups that look different from each other.
fn distinct(groups: &[Group], centres: &[Oklab]) -> Vec<Group> {
    let mut found: Vec<Group> = Vec::new();
    let mut gathered = gathered(groups, centres);
    gathered.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    for group in gathered {
        let like = |kept: &&mut Group| squared(kept.colour(), group.colour()) < SAME * SAME;
        match found.iter_mut().find(like) {
            Some(kept) => kept.join(group),
            None => found.push(group),
        }
    }
    found
}

fn squared(one: Oklab, other: Oklab) -> f32 {
    one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// An sRGB value as linear light, 0 to 1 (IEC 61966-2-1).
pub(crate) fn to_linear(value: u8) -> f64 {
    let value = f64::from(value) / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The sRGB value of linear light; what is out of range is clamped.
pub(crate) fn to_byte(light: f64) -> u8 {
    let light = light.clamp(0.0, 1.0);
    let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255 and a half")]
    let byte = (value * 255.0 + 0.5) as u8;
    byte
}

/// Björn Ottosson's Oklab.
fn oklab(colour: Rgb) -> Oklab {
    let [red, green, blue] = [colour.red, colour.green, colour.blue].map(to_linear);
    let long = (0.412_221_470_8 * red + 0.536_332_536_3 * green + 0.051_445_992_9 * blue).cbrt();
    let middle = (0.211_903_498_2 * red + 0.680_699_545_1 * green + 0.107_396_956_6 * blue).cbrt();
    let short = (0.088_302_461_9 * red + 0.281_718_837_6 * green + 0.629_978_700_5 * blue).cbrt();
    [
        0.210_454_255_3 * long + 0.793_617_785_0 * middle - 0.004_072_046_8 * short,
        1.977_998_495_1 * long - 2.428_592_205_0 * middle + 0.450_593_709_9 * short,
        0.025_904_037_1 * long + 0.782_771_766_2 * middle - 0.808_675_766_0 * short,
    ]
    .map(narrow)
}

fn rgb([lightness, green_red, blue_yellow]: Oklab) -> Rgb {
    let [l, a, b] = [lightness, green_red, blue_yellow].map(f64::from);
    let long = (l + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let middle = (l - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (l - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    Rgb {
        red: to_byte(4.076_741_662_1 * long - 3.307_711_591_3 * middle + 0.230_969_929_2 * short),
        green: to_byte(-1.268_438_004_6 * long + 2.609_757_401_1 * middle - 0.341_319_396_5 * short),
        blue: to_byte(-0.004_196_086_3 * long - 0.703_418_614_7 * middle + 1.707_614_701_0 * short),
    }
}

fn narrow(value: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a shorter fraction is meant")]
    let value = value as f32;
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, Layout};

    /// A picture of stripes: colours with how many columns each.
    fn stripes(columns: &[([u8; 4], u32)]) -> Small {
        let row: Vec<u8> = columns.iter().flat_map(|&(pixel, count)| pixel.repeat(count as usize)).collect();
        let width = columns.iter().map(|(_, count)| count).sum();
        Small::of(&Frame { width, height: 10, layout: Layout::Rgba, pixels: row.repeat(10) }, 64)
    }

    fn near(one: Rgb, red: u8, green: u8, blue: u8) -> bool {
        let near = |a: u8, b: u8| a.abs_diff(b) <= 2;
        near(one.red, red) && near(one.green, green) && near(one.blue, blue)
    }

    #[test]
    fn oklab_goes_there_and_back() {
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(15) {
                for blue in (0..=255).step_by(15) {
                    let colour = Rgb { red, green, blue };
                    let back = rgb(oklab(colour));
                    assert!(near(back, red, green, blue), "{colour:?} became {back:?}");
                }
            }
        }
    }

    #[test]
    fn stripes_are_found_with_their_shares() {
        let found = palette(&stripes(&[
            ([30, 60, 120, 255], 30),
            ([220, 220, 210, 255], 20),
            ([200, 30, 20, 255], 10),
        ]));
        assert_eq!(found.len(), 3, "{found:?}");
        for (swatch, (red, green, blue, share)) in
            found.iter().zip([(30, 60, 120, 0.5), (220, 220, 210, 0.333), (200, 30, 20, 0.167)])
        {
            assert!(near(swatch.colour, red, green, blue), "{swatch:?}");
            assert!((swatch.share - share).abs() < 0.01, "{swatch:?}");
        }
    }

    #[test]
    fn a_small_boat_is_seen_on_the_sea() {
        let sea = (0..40).map(|shade| ([60 + shade, 70 + shade, 80 + shade, 255], 1));
        let picture: Vec<_> = sea.chain([([220, 20, 30, 255], 1)]).collect();
        let found = palette(&stripes(&picture));
        assert!(found.iter().any(|swatch| near(swatch.colour, 220, 20, 30)), "{found:?}");
        assert!(found.len() <= COLOURS_MAX);
    }

    #[test]
    fn shades_that_look_alike_are_one() {
        let found = palette(&stripes(&[([100, 100, 100, 255], 10), ([104, 103, 105, 255], 10)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!((found[0].share - 1.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_transparent_has_no_colour() {
        let hidden = stripes(&[([255, 0, 255, 0], 50), ([0, 128, 0, 255], 5)]);
        let found = palette(&hidden);
        assert_eq!(found.len(), 1);
        assert!(near(found[0].colour, 0, 128, 0));
        assert!(near(average(&hidden).unwrap(), 0, 128, 0));
        let nothing = stripes(&[([255, 0, 255, 0], 5)]);
        assert_eq!(palette(&nothing), []);
        assert_eq!(average(&nothing), None);
    }

    #[test]
    fn the_mean_is_one_of_light() {
        let checker = stripes(&[([0, 0, 0, 255], 5), ([255, 255, 255, 255], 5)]);
        assert_eq!(average(&checker), Some(Rgb { red: 188, green: 188, blue: 188 }));
    }

    #[test]
    fn shares_add_up_and_come_in_order() {
        let many: Vec<_> = (0..60_u8)
            .map(|i| ([i.wrapping_mul(97), i.wrapping_mul(57), i.wrapping_mul(31), 255], 1))
            .collect();
        let found = palette(&stripes(&many));
        assert_eq!(found.len(), COLOURS_MAX);
        let total: f32 = found.iter().map(|swatch| swatch.share).sum();
        assert!((total - 1.0).abs() < 1e-4, "{total}");
        assert!(found.is_sorted_by(|one, other| one.share >= other.share));
        assert_eq!(found, palette(&stripes(&many)));
    }
}
