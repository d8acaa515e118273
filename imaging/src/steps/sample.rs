//! Arithmetic on 8-bit samples: rounding, mixing by alpha, luma.
//!
//! Written so that loops over rows become vector instructions: no conversions that saturate, no division by what is not
//! constant where every pixel is opaque.

/// Weights of red, green and blue in luma after BT.601, in parts of 65 536.
const LUMA: [u32; 3] = [19_595, 38_470, 7_471];

/// At 2^23 the last bit of a float is worth 1: adding it rounds, and the low bits are the integer.
const TO_INTEGER: f32 = 8_388_608.0;

/// As [`TO_INTEGER`], for numbers that may be negative.
const TO_SIGNED: f32 = 12_582_912.0;

/// The nearest sample; half goes to the even one, what is no number to 0.
#[inline]
pub(crate) fn byte(value: f32) -> u8 {
    let bits = (value.clamp(0.0, 255.0) + TO_INTEGER).to_bits();
    u8::try_from(bits & 0xff).unwrap_or(u8::MAX)
}

/// The nearest integer of a number from 0 to 65 535.
#[inline]
pub(crate) fn wide(value: f32) -> u16 {
    let bits = (value + TO_INTEGER).to_bits();
    u16::try_from(bits & 0xffff).unwrap_or(u16::MAX)
}

/// The nearest integer from -255 to 255.
#[inline]
pub(crate) fn delta(value: f32) -> i16 {
    let bits = (value.clamp(-255.0, 255.0) + TO_SIGNED).to_bits();
    u16::try_from(bits & 0xffff).unwrap_or(0).cast_signed()
}

/// A sample with a difference added.
#[inline]
pub(crate) fn moved(sample: u8, delta: i16) -> u8 {
    u8::try_from((i16::from(sample) + delta).clamp(0, 255)).unwrap_or(0)
}

/// The 255th part of a product of two samples, rounded.
#[inline]
pub(crate) fn div_255(product: u16) -> u8 {
    let half = product.saturating_add(128);
    u8::try_from(half.saturating_add(half >> 8) >> 8).unwrap_or(u8::MAX)
}

/// The product of two samples as shares of 255, rounded.
#[inline]
pub(crate) fn times(one: u8, other: u8) -> u8 {
    div_255(u16::from(one) * u16::from(other))
}

/// One channel of a pixel over an opaque one, rounded.
#[inline]
pub(crate) fn mix(top: u8, under: u8, alpha: u8) -> u8 {
    div_255(u16::from(top) * u16::from(alpha) + u16::from(under) * u16::from(255 - alpha))
}

/// A pixel over another, both with alpha in the last channel and not premultiplied. Where both are transparent the lower
/// one stays.
#[inline]
pub(crate) fn over(top: [u8; 4], under: [u8; 4]) -> [u8; 4] {
    let [r, g, b, alpha] = top;
    let [under_r, under_g, under_b, under_alpha] = under;
    match (alpha, under_alpha) {
        (0, _) => under,
        (255, _) | (_, 0) => top,
        (_, 255) => [mix(r, under_r, alpha), mix(g, under_g, alpha), mix(b, under_b, alpha), 255],
        _ => {
            let top_share = u32::from(alpha) * 255;
            let under_share = u32::from(under_alpha) * u32::from(255 - alpha);
            let total = top_share + under_share;
            let channel = |top: u8, under: u8| {
                let sum = u32::from(top) * top_share + u32::from(under) * under_share;
                u8::try_from((sum + total / 2) / total.max(1)).unwrap_or(u8::MAX)
            };
            let alpha = div_255(u16::try_from(total).unwrap_or(u16::MAX));
            [channel(r, under_r), channel(g, under_g), channel(b, under_b), alpha]
        }
    }
}

/// Luma after BT.601 of an sRGB colour as stored, rounded: the Y of JPEG.
#[inline]
pub(crate) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    u8::try_from((weighed(red, green, blue) + (1 << 15)) >> 16).unwrap_or(u8::MAX)
}

/// Luma times 255, with less lost to rounding.
#[inline]
pub(crate) fn wide_luma([red, green, blue]: [u8; 3]) -> u16 {
    u16::try_from((weighed(red, green, blue) * 255 + (1 << 15)) >> 16).unwrap_or(u16::MAX)
}

#[inline]
fn weighed(red: u8, green: u8, blue: u8) -> u32 {
    let [of_red, of_green, of_blue] = LUMA;
    of_red * u32::from(red) + of_green * u32::from(green) + of_blue * u32::from(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_the_nearest() {
        for (value, sample) in
            [(-3.0, 0), (0.4, 0), (0.6, 1), (254.4, 254), (254.6, 255), (300.0, 255), (f32::NAN, 0)]
        {
            assert_eq!(byte(value), sample, "{value}");
        }
        assert_eq!([wide(0.0), wide(65_024.6), wide(65_535.0)], [0, 65_025, 65_535]);
        assert_eq!([delta(-255.4), delta(-0.6), delta(0.4), delta(17.6)], [-255, -1, 0, 18]);
    }

    #[test]
    fn a_255th_is_exact_for_every_product() {
        for one in 0..=255_u8 {
            for other in 0..=255_u8 {
                let product = f64::from(one) * f64::from(other) / 255.0;
                assert!((f64::from(times(one, other)) - product).abs() < 0.5, "{one} {other}");
            }
        }
    }

    #[test]
    fn a_pixel_over_another() {
        for (top, under, result) in [
            ([9, 9, 9, 0], [1, 2, 3, 4], [1, 2, 3, 4]),
            ([1, 2, 3, 255], [9, 9, 9, 77], [1, 2, 3, 255]),
            ([1, 2, 3, 40], [9, 9, 9, 0], [1, 2, 3, 40]),
            ([255, 0, 100, 51], [0, 255, 100, 255], [51, 204, 100, 255]),
            // 0.5 over 0.5 is 0.75 to a rounding, of which the top has two thirds
            ([255, 0, 90, 128], [0, 255, 90, 128], [170, 85, 90, 192]),
        ] {
            assert_eq!(over(top, under), result, "{top:?} over {under:?}");
        }
    }

    #[test]
    fn luma_of_grey_is_grey() {
        for grey in 0..=255 {
            assert_eq!(luma([grey; 3]), grey);
            assert_eq!(wide_luma([grey; 3]), u16::from(grey) * 255);
        }
        assert_eq!([luma([255, 0, 0]), luma([0, 255, 0]), luma([0, 0, 255])], [76, 150, 29]);
    }
}
