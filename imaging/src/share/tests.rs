use std::sync::atomic::AtomicUsize;

use super::*;
use crate::jpeg::{Least, Light};
use crate::planes::{Plane, Planes};
use crate::steps::geometry::Size;

fn wanted(side: f64) -> Wanted {
    let least = Least { width: side, height: side };
    Wanted { luma: least, chroma: least, light: Light::Coded }
}

fn width(ask: &Ask) -> Option<Wanted> {
    ask.transform.width.map(|width| wanted(f64::from(width)))
}

fn planes(side: u32) -> Content {
    let luma = Plane { width: side, height: side, samples: vec![0; (side * side) as usize] };
    let scale = crate::jpeg::Scale::WHOLE;
    Content::Planes(Arc::new(Reduced {
        planes: Planes { luma, chroma: None },
        colour: crate::jpeg::Colour::Grey,
        range: crate::encode::Range::Full,
        full: Size { width: side, height: side },
        luma_scale: scale,
        chroma_scale: scale,
    }))
}

fn side_of(content: &Content) -> u32 {
    let Content::Planes(reduced) = content else { panic!("planes were put in") };
    reduced.planes.luma.width
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small whole numbers")]
fn decode(wanted: Wanted) -> Result<Option<Content>, Error> {
    Ok(Some(planes(wanted.luma.width as u32)))
}

fn joined(sources: &Sources, widths: &[u32]) -> Vec<(u32, Sibling)> {
    let transform = |width| Transform { width: Some(width), ..Transform::default() };
    widths.iter().map(|width| (*width, sources.join(7, &transform(*width), true))).collect()
}

fn take(sibling: &Sibling, width_of: u32) -> (u32, bool) {
    let mine = wanted(f64::from(width_of));
    let found = sibling.decoded(b"source", mine, width, decode, &Deadline::never());
    let (content, is_more) = found.unwrap().unwrap();
    (side_of(&content), is_more)
}

fn sources() -> Sources {
    Sources::new(Arc::default())
}

fn counts(sources: &Sources) -> (u64, u64) {
    let metrics = &sources.shared.metrics;
    (metrics.decodes.load(Ordering::Relaxed), metrics.shared_decodes.load(Ordering::Relaxed))
}

#[test]
fn the_first_decodes_for_the_largest_and_the_last_lets_go() {
    let sources = sources();
    let all = joined(&sources, &[32, 8, 64, 16]);
    for (width, sibling) in &all {
        assert_eq!(take(sibling, *width), (64, *width < 64), "{width}");
    }
    assert_eq!(counts(&sources), (1, 3));
    assert_eq!(sources.shared.held.load(Ordering::Relaxed), 0, "nobody is to come for it");
    drop(all);
    assert!(sources.shared.groups.lock().is_empty());
}

#[test]
fn alone_it_decodes_what_it_needs_and_holds_nothing() {
    let sources = sources();
    for (width, sibling) in joined(&sources, &[16]) {
        assert_eq!(take(&sibling, width), (16, false));
    }
    for (width, sibling) in joined(&sources, &[32]) {
        assert_eq!(take(&sibling, width), (32, false));
    }
    assert_eq!(counts(&sources), (2, 0));
}

#[test]
fn those_that_left_are_not_decoded_for() {
    let sources = sources();
    let mut all = joined(&sources, &[16, 8, 64]);
    drop(all.pop());
    assert_eq!(take(&all[0].1, 16), (16, false));
    assert_eq!(take(&all[1].1, 8), (16, true));
}

#[test]
fn another_content_under_the_same_name_is_decoded_anew() {
    let sources = sources();
    let all = joined(&sources, &[16, 16, 16]);
    assert_eq!(take(&all[0].1, 16), (16, false));
    let count = AtomicUsize::new(0);
    let anew = |wanted| {
        count.fetch_add(1, Ordering::Relaxed);
        decode(wanted)
    };
    all[1].1.decoded(b"another", wanted(16.0), width, anew, &Deadline::never()).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn a_failure_is_not_shared_and_nobody_waits_for_it() {
    let sources = sources();
    let all = joined(&sources, &[16, 8]);
    let damaged = |_| Err(Error::Undecodable { reason: "damaged" });
    let found = all[0].1.decoded(b"source", wanted(16.0), width, damaged, &Deadline::never());
    assert!(found.is_err());
    assert_eq!(take(&all[1].1, 8), (8, false));
}

#[test]
fn the_others_wait_for_the_one_that_decodes() {
    let sources = sources();
    let all = joined(&sources, &[16, 8]);
    let (started, starts) = std::sync::mpsc::channel();
    let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let slow = move |wanted| {
            started.send(()).unwrap();
            goes_on.recv().unwrap();
            decode(wanted)
        };
        let first = &all[0].1;
        scope.spawn(move || first.decoded(b"source", wanted(16.0), width, slow, &Deadline::never()).unwrap());
        starts.recv().unwrap();
        let passed = Deadline::never();
        passed.cancel();
        let late = all[1].1.decoded(b"source", wanted(8.0), width, decode, &passed);
        assert_eq!(late.err(), Some(Error::Deadline), "a wait ends at its deadline");
        go_on.send(()).unwrap();
        assert_eq!(take(&all[1].1, 8), (16, true));
    });
    assert_eq!(counts(&sources), (1, 1));
}

#[test]
fn no_more_is_held_than_the_bound() {
    let sources = sources();
    sources.shared.held.store(HELD_BYTES_MAX, Ordering::Relaxed);
    let all = joined(&sources, &[16, 8]);
    assert_eq!(take(&all[0].1, 16), (16, false));
    assert_eq!(take(&all[1].1, 8), (8, false));
    assert_eq!(sources.shared.held.load(Ordering::Relaxed), HELD_BYTES_MAX);
}

#[test]
fn careful_and_fast_renderings_do_not_wait_for_each_other() {
    let sources = sources();
    let transform = Transform { width: Some(10), ..Transform::default() };
    let siblings = [true, false].map(|is_careful| sources.join(7, &transform, is_careful));
    for sibling in &siblings {
        assert_eq!(take(sibling, 10), (10, false));
    }
    assert_eq!(counts(&sources), (2, 0));
}
