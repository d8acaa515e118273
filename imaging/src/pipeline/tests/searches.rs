//! Renderings whose quality, format or length is looked for.

use super::*;
use crate::likeness::Reference;
use crate::steps::decode;

const TARGET: u8 = 70;

fn photo() -> Vec<u8> {
    fixture("orient/landscape_1.jpg")
}

fn found(options: &str, accept: AcceptClass, effort: Patience) -> Rendered {
    let settings = Settings { accept, effort, likeness: TARGET, ..Settings::default() };
    render(&photo(), &options.parse().unwrap(), &settings, &Deadline::never()).unwrap()
}

/// Points of SSIMULACRA2 beside the same picture without loss.
fn likeness(rendered: &Rendered, options: &str) -> f64 {
    let frame = |bytes: &[u8]| {
        let header = sniff::header(bytes).unwrap();
        let options = decode::Options::default();
        let all = decode::decode(bytes, &header, &Limits::default(), &Deadline::never(), &options);
        all.unwrap().first().unwrap()
    };
    let exact = found(&format!("{options},f=png"), AcceptClass::Plain, Patience::Answering);
    Reference::new(&frame(&exact.bytes)).unwrap().likeness(&frame(&rendered.bytes)).unwrap()
}

#[test]
fn automatic_quality_is_the_lowest_that_is_alike() {
    for (format, effort) in
        [("jpeg", Patience::Answering), ("webp", Patience::Answering), ("avif", Patience::Improving)]
    {
        let automatic = found(&format!("w=160,f={format},q=auto"), AcceptClass::Plain, effort);
        let reached = likeness(&automatic, "w=160");
        let bound = f64::from(TARGET);
        // what is compared has half the chroma already, so that a little is lost between
        assert!(reached >= bound - 4.0 && reached <= bound + 12.0, "{format}: {reached}");
        let finest = found(&format!("w=160,f={format},q=95"), AcceptClass::Plain, effort);
        assert!(automatic.bytes.len() < finest.bytes.len(), "{format}");
    }
}

#[test]
fn the_best_format_is_the_shortest_of_those_that_the_client_takes() {
    for (accept, formats) in [
        (AcceptClass::Plain, &["jpeg"][..]),
        (AcceptClass::Webp, &["jpeg", "webp"]),
        (AcceptClass::Avif, &["jpeg", "webp", "avif"]),
    ] {
        let best = found("w=96,f=best", accept, Patience::Improving);
        let others: Vec<_> = formats
            .iter()
            .map(|format| found(&format!("w=96,f={format},q=auto"), accept, Patience::Improving))
            .collect();
        let shortest = others.iter().map(|other| other.bytes.len()).min().unwrap();
        assert_eq!(best.bytes.len(), shortest, "{accept:?}");
        assert!(formats.iter().any(|format| best.content_type == format!("image/{format}")), "{accept:?}");
    }
}

#[test]
fn a_file_is_no_longer_than_asked_for() {
    for format in ["jpeg", "webp"] {
        let free = found(&format!("w=160,f={format}"), AcceptClass::Plain, Patience::Answering);
        let bytes_max = free.bytes.len() / 2;
        let bound = format!("w=160,f={format},max-bytes={bytes_max}");
        let bound = found(&bound, AcceptClass::Plain, Patience::Answering);
        let length = bound.bytes.len();
        assert!(length <= bytes_max && length * 2 > bytes_max, "{format}: {length} of {bytes_max}");
    }
}

#[test]
fn where_the_format_is_open_an_avif_looks_as_a_webp_would() {
    let options = |options: &str| found(options, AcceptClass::Avif, Patience::Answering);
    let (auto, same) = (options("w=96"), options("w=96,f=avif,q=63"));
    assert!(auto.content_type == "image/avif" && auto.bytes == same.bytes, "80 of the site");
    let (own, same) = (options("w=96,fq=avif;80"), options("w=96,f=avif,q=80"));
    assert!(own.bytes == same.bytes, "an AVIF's own quality is taken as it is");
}

#[test]
fn an_avif_takes_no_shorter_webps_place() {
    let options = |options: &str| found(options, AcceptClass::Avif, Patience::Improving);
    let mut chosen = [0; 2];
    for (look, avif) in
        [("w=160", "f=avif,q=63"), ("w=160,blur=20", "f=avif,q=63"), ("w=160,lossless=1", "f=avif")]
    {
        let auto = options(look);
        let (avif, webp) = (options(&format!("{look},{avif}")), options(&format!("{look},f=webp")));
        let is_webp = webp.bytes.len() < avif.bytes.len();
        chosen[usize::from(is_webp)] += 1;
        let shorter = if is_webp { webp } else { avif };
        assert!(auto.bytes == shorter.bytes && auto.content_type == shorter.content_type, "{look}");
    }
    assert!(chosen[0] > 0 && chosen[1] > 0, "{chosen:?}");
}
