//! What becomes of a profile that is to be kept.

use super::*;
use crate::encode::testing;
use crate::frame::Layout;

const P3: &str = "colour/patches-p3.png";

/// The patches moving, in the colours of Display P3 and with its profile.
fn moving() -> Vec<u8> {
    let deadline = Deadline::never();
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let settings = encode::Settings { lossless: true, icc: Some(&profile), ..testing::settings(&deadline) };
    let pixels = pixels(P3, "keep-profile=true");
    let (width, height) = pixels.dimensions();
    let frame = Frame { width, height, layout: Layout::Rgba, pixels: pixels.into_raw() };
    let mut animation = Animation::new(encode::Format::Webp, &settings, 0).unwrap();
    animation.push(frame.clone(), 50).unwrap();
    animation.push(crate::steps::turn::flip_vertical(frame), 50).unwrap();
    animation.finish().unwrap()
}

#[test]
fn a_format_that_holds_none_is_in_srgb() {
    let bytes = |options: &str| rendered(&fixture(P3), options).unwrap().bytes;
    for (format, holds) in
        [("png", true), ("jpeg", true), ("jxl,lossless=true", true), ("jxl", false), ("gif", false)]
    {
        let (kept, converted) =
            (bytes(&format!("f={format},keep-profile=true")), bytes(&format!("f={format}")));
        assert_eq!(kept != converted, holds, "{format}");
    }
}

#[test]
fn what_moves_is_in_srgb() {
    let source = moving();
    let bytes = |options: &str| rendered(&source, options).unwrap().bytes;
    let kept = bytes("f=webp,lossless=true,keep-profile=true");
    assert!(kept == bytes("f=webp,lossless=true"));
    assert_eq!(sniff::header(&kept).unwrap().frames, 2);
    let shown = decoded(&rendered(&kept, "anim=false,f=png").unwrap());
    let [srgb, p3] = ["keep-profile=false", "keep-profile=true"].map(|options| pixels(P3, options));
    let (near, far) = (difference(&shown, &srgb), difference(&shown, &p3));
    assert!(
        near < 1.0 && far > 2.0,
        "{near} from the colours as converted, {far} from those that were stored"
    );
}
