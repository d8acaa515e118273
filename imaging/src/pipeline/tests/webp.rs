//! Lossy WebP sources, which stay in planes.

use super::*;
use crate::encode::{Effort, Format as File, Picture, Settings as Coding, Subsampling};
use crate::frame::Layout;
use crate::testing::{decoded, difference, fixture, rendered};

fn file(frame: &Frame, exif: Option<&[u8]>) -> Vec<u8> {
    let coding = Coding {
        quality: 95,
        lossless: false,
        effort: Effort::Fast,
        progressive: false,
        chroma: Subsampling::Quarter,
        icc: None,
        exif,
        deadline: &Deadline::never(),
    };
    encode::encode(Picture::Frame(frame), File::Webp, &coding).unwrap()
}
fn webp(options: &str) -> Vec<u8> {
    rendered(&fixture("orient/landscape_1.jpg"), &format!("{options},f=webp")).unwrap().bytes.to_vec()
}

#[test]
fn its_pixels_are_those_of_another_decoder() {
    for options in ["w=300,h=201,fit=cover", "w=301,h=200,fit=cover"] {
        let source = webp(options);
        let theirs = image::load_from_memory(&source).unwrap().into_rgba8();
        let ours = decoded(&rendered(&source, "f=png").unwrap());
        let difference = difference(&ours, &theirs);
        assert!(difference < 1.0, "{options}: differs by {difference}");
    }
}

#[test]
fn what_is_made_of_it_is_like_what_is_made_of_its_pixels() {
    let source = webp("w=600");
    let mut exact = Vec::new();
    let pixels = image::load_from_memory(&source).unwrap();
    pixels.write_to(&mut std::io::Cursor::new(&mut exact), image::ImageFormat::Png).unwrap();
    let mut apart = Vec::new();
    // chroma of half the size in both, and what coding adds
    for (format, most) in [("f=png", 2.5), ("q=85,f=jpeg", 3.5), ("q=85,f=webp", 3.5)] {
        for size in ["", "w=590,", "w=300,", "w=101,h=77,fit=cover,", "w=64,", "w=900,h=900,fit=pad,"] {
            for reduction in ["", "reduce=fast,"] {
                let options = format!("{size}{reduction}{format}");
                let ours = decoded(&rendered(&source, &options).unwrap());
                let theirs = decoded(&rendered(&exact, &options).unwrap());
                let difference = difference(&ours, &theirs);
                if difference > most {
                    apart.push(format!("{options}: {difference:.2}"));
                }
            }
        }
    }
    assert!(apart.is_empty(), "{apart:#?}");
}

#[test]
fn black_and_white_stay_so() {
    let pixels = (0..64 * 64).flat_map(|at| if at % 64 < 32 { [0; 3] } else { [255; 3] }).collect();
    let frame = Frame { width: 64, height: 64, layout: Layout::Rgb, pixels };
    let source = file(&frame, None);
    for options in ["f=png", "w=16,f=png", "w=16,reduce=fast,f=png", "w=16,f=jpeg", "w=16,f=webp"] {
        let small = decoded(&rendered(&source, options).unwrap());
        let (wide, high) = small.dimensions();
        let [dark, light] = [1, wide - 2].map(|x| small.get_pixel(x, high / 2).0);
        assert!(dark.iter().take(3).all(|value| *value <= 3), "{options}: {dark:?}");
        assert!(light.iter().all(|value| *value >= 252), "{options}: {light:?}");
    }
}

#[test]
fn it_is_turned_as_it_says() {
    let turned = fixture("orient/landscape_6.jpg");
    let exif = sniff::jpeg::exif(&turned).unwrap();
    let frame = Frame { width: 48, height: 32, layout: Layout::Rgb, pixels: [10, 200, 30].repeat(48 * 32) };
    let source = file(&frame, Some(exif));
    let result = rendered(&source, "f=jpeg").unwrap();
    assert_eq!((result.width, result.height), (32, 48));
    assert_eq!((result.source_width, result.source_height), (32, 48));
}

#[test]
fn a_cut_one_is_refused() {
    let source = webp("w=100");
    for length in [30, source.len() / 2, source.len() - 2] {
        let outcome = rendered(&source[..length], "f=jpeg").map(|rendered| rendered.bytes.len());
        assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{length}: {outcome:?}");
    }
    let deadline = Deadline::never();
    deadline.cancel();
    let outcome = render(&source, &Transform::default(), &Settings::default(), &deadline);
    assert_eq!(outcome.map(|rendered| rendered.width), Err(Error::Deadline));
}
