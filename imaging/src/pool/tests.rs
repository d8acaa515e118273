//! The queue, cancellation, panics and shutdown.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::testing::{decoded, difference, fixture, rendered};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn result() -> Rendered {
    Rendered {
        bytes: Bytes::from_static(b"x"),
        content_type: "image/png",
        width: 1,
        height: 1,
        source_width: 1,
        source_height: 1,
        decoded_as: 0,
        is_hurried: false,
        can_improve: false,
        timings: pipeline::Timings::default(),
    }
}

/// Work that says when it starts and goes on when it is told to.
fn gated() -> (Work, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let work = move |_: &Deadline| {
        started.send(()).unwrap();
        released.recv().unwrap();
        Ok(result())
    };
    (Box::new(work), has_started, release)
}

fn instant() -> Work {
    Box::new(|_| Ok(result()))
}

/// Waits until `counter` has the value; the pool changes it in the background.
async fn reaches(counter: &AtomicU64, value: u64) {
    let wait = async {
        while counter.load(Relaxed) != value {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}

fn width(outcome: Outcome) -> Result<u32, Error> {
    outcome.map(|rendered| rendered.width)
}

#[tokio::test]
async fn it_renders() {
    let pool = Pool::new(2, 100).unwrap();
    let source = Bytes::from(fixture("orient/landscape_6.jpg"));
    let transform = "w=90,f=webp".parse().unwrap();
    let rendered = pool.render(source, transform, Settings::default(), soon()).await.unwrap();
    assert_eq!((rendered.width, rendered.height, rendered.content_type), (90, 68, "image/webp"));
    reaches(&pool.metrics().busy_threads, 0).await;
    assert_eq!(pool.metrics().renders.load(Relaxed), 1);
    assert_eq!(pool.metrics().queue_pixels.load(Relaxed), 0);
}

#[tokio::test]
async fn eight_widths_of_one_photo_are_decoded_once_and_show_the_same() {
    // a JPEG decoded larger has more of its light averaged as light
    for (file, format, most) in
        [("orient/landscape_6.jpg", "jpeg", 8.0), ("png/palette-alpha.png", "png", 0.0)]
    {
        let pool = Arc::new(Pool::new(2, 100).unwrap());
        let source = Bytes::from(fixture(file));
        let transforms: Vec<Transform> =
            (1..=8).map(|step| format!("w={},f={format}", step * 40).parse().unwrap()).collect();
        let join = |transform| Some(Arc::new(pool.join(1, transform, true)));
        let siblings: Vec<_> = transforms.iter().map(join).collect();
        let mut tasks = Vec::new();
        for (transform, sibling) in transforms.iter().cloned().zip(siblings) {
            let settings = Settings { sibling, quality: 90, ..Settings::default() };
            let (pool, source) = (Arc::clone(&pool), source.clone());
            tasks.push(tokio::spawn(async move { pool.render(source, transform, settings, soon()).await }));
        }
        for (task, transform) in tasks.into_iter().zip(&transforms) {
            let outcome = task.await.unwrap();
            let together = outcome.unwrap();
            let alone = rendered(&source, &transform.to_string()).unwrap();
            if transform.width == Some(320) {
                assert_eq!(together.bytes, alone.bytes, "{file}: the largest is as it would be alone");
            }
            let apart = difference(&decoded(&together), &decoded(&alone));
            assert!(apart <= most, "{file} at {transform}: {apart}");
        }
        assert_eq!(pool.metrics().decodes.load(Relaxed), 1, "{file}");
        assert_eq!(pool.metrics().shared_decodes.load(Relaxed), 7, "{file}");
    }
}

#[tokio::test]
async fn a_bad_header_is_refused_without_a_thread() {
    let pool = Pool::new(1, 100).unwrap();
    let (work, started, release) = gated();
    let busy = pool.submit(work, 1, soon());
    let refused = async {
        started.recv().unwrap();
        let source = Bytes::from_static(b"GIF89a");
        let outcome = pool.render(source, Transform::default(), Settings::default(), soon()).await;
        assert!(matches!(outcome, Err(Error::Undecodable { .. })));
        release.send(()).unwrap();
    };
    let (first, ()) = tokio::join!(busy, refused);
    assert_eq!(width(first), Ok(1));
    assert_eq!(pool.metrics().failures.load(Relaxed), 1);
}

#[tokio::test]
async fn a_full_queue_answers_at_once() {
    let pool = Pool::new(1, 1).unwrap();
    let (work, started, release) = gated();
    let working = pool.submit(work, 1, soon());
    let rest = async {
        started.recv().unwrap();
        let waiting = pool.submit(instant(), 900_000, soon());
        let refused = async {
            reaches(&pool.metrics().queue_jobs, 1).await;
            let outcome = pool.submit(instant(), 200_000, soon()).await;
            assert_eq!(width(outcome), Err(Error::Busy { retry_after_s: 1 }));
            release.send(()).unwrap();
        };
        tokio::join!(waiting, refused).0
    };
    let (first, second) = tokio::join!(working, rest);
    assert_eq!((width(first), width(second)), (Ok(1), Ok(1)));
    assert_eq!(pool.metrics().refusals.load(Relaxed), 1);
}

#[tokio::test]
async fn a_job_heavier_than_the_queue_is_still_served_when_alone() {
    let pool = Pool::new(1, 0).unwrap();
    assert_eq!(width(pool.submit(instant(), u64::MAX, soon()).await), Ok(1));
}

#[tokio::test]
async fn an_abandoned_job_is_skipped_and_its_place_given_away() {
    let pool = Pool::new(1, 1).unwrap();
    let (work, started, release) = gated();
    let working = pool.submit(work, 1, soon());
    let rest = async {
        started.recv().unwrap();
        let panics = Box::new(|_: &Deadline| panic!("an abandoned job was run"));
        let abandoned = tokio::time::timeout(Duration::ZERO, pool.submit(panics, 900_000, soon())).await;
        assert!(abandoned.is_err());
        let next = pool.submit(instant(), 900_000, soon());
        let release = async { release.send(()).unwrap() };
        tokio::join!(next, release).0
    };
    let (first, second) = tokio::join!(working, rest);
    assert_eq!((width(first), width(second)), (Ok(1), Ok(1)));
    assert_eq!(pool.metrics().abandoned.load(Relaxed), 1);
    assert_eq!(pool.metrics().panics.load(Relaxed), 0);
}

#[tokio::test]
async fn a_job_at_work_learns_that_nobody_waits() {
    let pool = Pool::new(1, 1).unwrap();
    let (started, has_started) = mpsc::channel();
    let (saw, has_seen) = mpsc::channel();
    let work = Box::new(move |deadline: &Deadline| {
        started.send(()).unwrap();
        while deadline.check().is_ok() {
            std::thread::yield_now();
        }
        saw.send(()).unwrap();
        Err(Error::Deadline)
    });
    {
        let mut job = std::pin::pin!(pool.submit(work, 1, soon()));
        assert!(futures_poll_once(job.as_mut()).await);
        has_started.recv().unwrap();
    }
    has_seen.recv_timeout(Duration::from_secs(20)).unwrap();
}

/// Polls once; whether it is still pending.
async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn the_deadline_includes_the_queue() {
    let pool = Pool::new(1, 10).unwrap();
    let (work, started, release) = gated();
    let working = pool.submit(work, 1, soon());
    let rest = async {
        started.recv().unwrap();
        let late = pool.submit(instant(), 1, Instant::now()).await;
        assert_eq!(width(late), Err(Error::Deadline));
        release.send(()).unwrap();
    };
    let (first, ()) = tokio::join!(working, rest);
    assert_eq!(width(first), Ok(1));
}

#[tokio::test]
async fn heavy_jobs_leave_a_thread_to_the_others() {
    let pool = Pool::new(2, 1_000).unwrap();
    let ((first, first_started, release_first), (second, second_started, release_second)) =
        (gated(), gated());
    let heavy = async {
        tokio::join!(pool.submit(first, HEAVY_PIXELS, soon()), pool.submit(second, HEAVY_PIXELS, soon()))
    };
    let others = async {
        first_started.recv().unwrap();
        for _ in 0..3 {
            assert_eq!(width(pool.submit(instant(), HEAVY_PIXELS - 1, soon()).await), Ok(1));
        }
        assert_eq!(second_started.try_recv(), Err(mpsc::TryRecvError::Empty), "one at a time");
        release_first.send(()).unwrap();
        second_started.recv_timeout(Duration::from_secs(20)).unwrap();
        release_second.send(()).unwrap();
    };
    let ((one, two), ()) = tokio::join!(heavy, others);
    assert_eq!((width(one), width(two)), (Ok(1), Ok(1)));
}

#[tokio::test]
async fn a_thread_that_has_worked_tidies_up_once_it_is_quiet() {
    static TIDIED: AtomicU64 = AtomicU64::new(0);
    let pool = Pool::with_quiet(2, 1, || {
        TIDIED.fetch_add(1, Relaxed);
    })
    .unwrap();
    assert_eq!(width(pool.submit(instant(), 1, soon()).await), Ok(1));
    reaches(&TIDIED, 1).await;
}

#[tokio::test]
async fn a_panic_costs_one_rendering() {
    let pool = Pool::new(1, 1).unwrap();
    for _ in 0..3 {
        let work = Box::new(|_: &Deadline| panic!("a codec broke down"));
        assert_eq!(width(pool.submit(work, 1, soon()).await), Err(Error::Panicked));
    }
    assert_eq!(width(pool.submit(instant(), 1, soon()).await), Ok(1));
    assert_eq!(pool.metrics().panics.load(Relaxed), 3);
}

#[tokio::test]
async fn shutdown_refuses_what_waits_and_finishes_what_is_at_work() {
    let pool = Pool::new(1, 10).unwrap();
    let (work, started, release) = gated();
    let working = pool.submit(work, 1, soon());
    let rest = async {
        started.recv().unwrap();
        let waiting = pool.submit(instant(), 1, soon());
        let stop = async {
            reaches(&pool.metrics().queue_jobs, 1).await;
            release.send(()).unwrap();
            // the released job may already have pulled the waiting one in
            pool.shutdown();
        };
        tokio::join!(waiting, stop).0
    };
    let (first, second) = tokio::join!(working, rest);
    assert_eq!(width(first), Ok(1));
    assert!(matches!(width(second), Ok(1) | Err(Error::Busy { .. })));
    assert!(matches!(width(pool.submit(instant(), 1, soon()).await), Err(Error::Busy { .. })));
    pool.shutdown();
}

#[test]
fn a_jpeg_xl_weighs_what_it_takes() {
    let source = Bytes::from(fixture("orient/landscape_1.jpg"));
    let header = crate::sniff::header(&source).unwrap();
    let of = |options: &str| weight(&source, &header, &options.parse().unwrap());
    assert_eq!([of("f=png"), of("f=jxl")], [header.pixels(), header.pixels() * JXL_PIXELS]);
}
