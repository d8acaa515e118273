use std::{collections::BTreeSet, fs, time::Duration};

use super::*;
use crate::purge::{Mode, Selector};

const DEADLINE: Duration = Duration::from_secs(20);
/// Two or three events per segment, three segments.
const TIGHT: Bounds = Bounds { segment_bytes_max: 512, segments_max: 3 };

fn event(name: impl std::fmt::Display) -> PurgeEvent {
    let selectors = vec![Selector::url("h", &format!("/{name}")).unwrap()];
    PurgeEvent { selectors, mode: Mode::Hard, by: "test".to_owned(), at_ms: 1 }
}

async fn publish(bus: &Embedded, names: impl IntoIterator<Item = u64>) -> Vec<Position> {
    let mut positions = Vec::new();
    for name in names {
        positions.push(bus.publish(event(name)).await.unwrap());
    }
    positions
}

async fn next(bus: &Embedded, after: Option<Position>) -> Delivery {
    tokio::time::timeout(DEADLINE, bus.next(after)).await.unwrap().unwrap()
}

/// Everything from the beginning of the retained log to the tail, and the gaps on the way.
async fn read_all(bus: &Embedded) -> (Vec<(Position, PurgeEvent)>, Vec<Position>) {
    let (mut events, mut gaps) = (Vec::new(), Vec::new());
    let mut after = Some(bus.tail()).filter(|tail| tail.seq == 0);
    while after != Some(bus.tail()) {
        match next(bus, after).await {
            Delivery::Gap(position) => {
                gaps.push(position);
                after = Some(position);
            }
            Delivery::Events(more) => {
                after = more.last().map(|(position, _)| *position);
                events.extend(more);
            }
        }
    }
    (events, gaps)
}

/// A log of three events and the bytes of its only segment.
async fn three() -> (tempfile::TempDir, PathBuf, Vec<u8>, Position) {
    let folder = tempfile::tempdir().unwrap();
    let bus = Embedded::open(folder.path()).unwrap();
    publish(&bus, 1..=3).await;
    let tail = bus.tail();
    drop(bus);
    let path = store::path_of(folder.path(), 1);
    let bytes = fs::read(&path).unwrap();
    (folder, path, bytes, tail)
}

#[tokio::test]
async fn numbers_go_up_over_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        let bus = Embedded::open(folder.path()).unwrap();
        all.extend(publish(&bus, 1..=4).await);
        assert_eq!(bus.tail(), *all.last().unwrap());
    }
    let seqs: Vec<_> = all.iter().map(|position| position.seq).collect();
    assert_eq!(seqs, (1..=12).collect::<Vec<_>>());
    assert!(all.iter().all(|position| position.epoch == all[0].epoch && position.epoch != 0));
}

#[tokio::test]
async fn events_are_read_back_from_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Embedded::open(folder.path()).unwrap();
    let positions = publish(&bus, 1..=5).await;
    drop(bus);
    let bus = Embedded::open(folder.path()).unwrap();
    let expected: Vec<_> = positions.into_iter().zip((1..=5).map(event)).collect();
    assert_eq!(next(&bus, None).await, Delivery::Events(expected.clone()));
    assert_eq!(next(&bus, Some(expected[2].0)).await, Delivery::Events(expected[3..].to_vec()));
}

#[tokio::test]
async fn a_waiting_follower_is_woken() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Embedded::open(folder.path()).unwrap();
    let (heard, published) = tokio::join!(next(&bus, Some(bus.tail())), bus.publish(event(1)));
    assert_eq!(heard, Delivery::Events(vec![(published.unwrap(), event(1))]));
}

#[tokio::test]
async fn concurrent_publishers_get_contiguous_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Embedded::open(folder.path()).unwrap();
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let bus = Arc::clone(&bus);
            tokio::spawn(async move { (n, bus.publish(event(n)).await.unwrap()) })
        })
        .collect();
    let mut published = Vec::new();
    for task in tasks {
        published.push(task.await.unwrap());
    }
    let seqs: BTreeSet<_> = published.iter().map(|(_, position)| position.seq).collect();
    assert_eq!(seqs, (1..=200).collect());
    let (events, gaps) = read_all(&bus).await;
    assert!(gaps.is_empty());
    for (n, position) in published {
        assert!(events.contains(&(position, event(n))), "event {n} got the number of its own record");
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Embedded::open(folder.path()).unwrap();
    let error = Embedded::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("in use by another process"), "{error}");
    drop(first);
    assert!(Embedded::open(folder.path()).is_ok());
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_and_its_number_used_again() {
    let (folder, path, bytes, tail) = three().await;
    let payload = serde_json::to_vec(&event(3)).unwrap().len();
    let last = bytes.len() - payload - segment::RECORD_BYTES;
    for end in last..bytes.len() {
        fs::write(&path, &bytes[..end]).unwrap();
        let bus = Embedded::open(folder.path()).unwrap();
        assert_eq!(bus.tail(), Position { seq: 2, ..tail }, "cut at {end}");
        assert_eq!(bus.publish(event(9)).await.unwrap(), tail, "cut at {end}");
        let (events, gaps) = read_all(&bus).await;
        assert_eq!((events.len(), gaps.len()), (3, 0), "cut at {end}");
        assert_eq!(events[2].1, event(9));
    }
}

#[tokio::test]
async fn any_flipped_bit_starts_a_new_epoch_and_keeps_the_readable_beginning() {
    let (folder, path, bytes, tail) = three().await;
    // one bit per byte, all three records and the head
    for place in 0..bytes.len() {
        for stray in fs::read_dir(folder.path()).unwrap() {
            fs::remove_file(stray.unwrap().path()).unwrap();
        }
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(&path, &flipped).unwrap();
        let bus = Embedded::open(folder.path()).unwrap();
        let renamed = bus.tail();
        assert_ne!(renamed.epoch, tail.epoch, "byte {place}");
        let (events, gaps) = read_all(&bus).await;
        assert!(events.len() < 3, "byte {place}");
        assert!(events.iter().zip(1..).all(|((position, _), seq)| *position == Position { seq, ..tail }));
        assert!(events.is_empty() || gaps == [renamed], "byte {place}: a follower is told on its way");
        assert_eq!(
            next(&bus, Some(tail)).await,
            Delivery::Gap(renamed),
            "byte {place}: so is one that was ahead"
        );
        drop(bus);
        let again = Embedded::open(folder.path()).unwrap();
        assert_eq!(again.tail(), renamed, "byte {place}: repaired once");
    }
}

#[tokio::test]
async fn a_missing_segment_starts_a_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds { segments_max: 16, ..TIGHT };
    let bus = Embedded::open_bounded(folder.path(), bounds).unwrap();
    let last = publish(&bus, 1..=20).await.pop().unwrap();
    drop(bus);
    fs::remove_file(store::path_of(folder.path(), 2)).unwrap();
    let bus = Embedded::open_bounded(folder.path(), bounds).unwrap();
    assert_ne!(bus.tail().epoch, last.epoch);
    assert!(bus.tail().seq >= last.seq, "numbers go up over epochs too");
}

#[tokio::test]
async fn dropped_segments_are_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Embedded::open_bounded(folder.path(), TIGHT).unwrap();
    let positions = publish(&bus, 1..=40).await;
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, TIGHT.segments_max + 1, "segments and the lock");
    drop(bus);
    let bus = Embedded::open_bounded(folder.path(), TIGHT).unwrap();
    let Delivery::Gap(start) = next(&bus, Some(positions[0])).await else { panic!("a gap") };
    assert_eq!(next(&bus, None).await, Delivery::Gap(start));
    let (events, _) = read_all(&bus).await;
    let kept: Vec<_> = events.iter().map(|(position, _)| *position).collect();
    assert_eq!(kept, positions[usize::try_from(start.seq).unwrap()..]);
    assert!(kept.len() < 40 && kept.len() > 3, "{} events kept", kept.len());
}

#[tokio::test]
async fn an_unknown_epoch_is_a_gap_to_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Embedded::open(folder.path()).unwrap();
    publish(&bus, 1..=2).await;
    let start = Position { seq: 0, ..bus.tail() };
    assert_eq!(next(&bus, Some(Position { epoch: 1, seq: 1 })).await, Delivery::Gap(start));
}

#[tokio::test]
async fn a_report_beyond_the_tail_renames_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Embedded::open(folder.path()).unwrap();
    let tail = publish(&bus, 1..=2).await.pop().unwrap();
    bus.report("n", Position { epoch: tail.epoch ^ 1, seq: 99 });
    bus.report("n", tail);
    assert_eq!(bus.tail(), tail, "these prove nothing");
    bus.report("n", Position { seq: 50, ..tail });
    let Delivery::Gap(renamed) = next(&bus, Some(tail)).await else { panic!("a gap") };
    assert_eq!(renamed.seq, 50);
    assert_eq!(bus.publish(event(3)).await.unwrap(), Position { seq: 51, ..renamed });
    drop(bus);
    let bus = Embedded::open(folder.path()).unwrap();
    assert_eq!(read_all(&bus).await.0.len(), 3, "nothing was lost");
}

#[tokio::test]
async fn a_folder_that_goes_away_refuses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("log"), folder.path().join("away"));
    let bus = Embedded::open_bounded(&here, Bounds { segment_bytes_max: 1, segments_max: 16 }).unwrap();
    let tail = publish(&bus, 1..=2).await.pop().unwrap();
    fs::rename(&here, &away).unwrap();
    assert!(matches!(bus.publish(event(3)).await, Err(BusError::Write(_))), "no segment can be begun");
    assert_eq!(bus.tail(), tail);
    fs::rename(&away, &here).unwrap();
    assert_eq!(bus.publish(event(4)).await.unwrap().seq, 3, "the refused event has no number");
}

#[tokio::test]
async fn a_failed_write_that_can_not_be_taken_back_ends_all_writing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, segments) = Store::open(folder.path(), BOUNDS).unwrap();
    store.replace_active(fs::File::open(store::path_of(folder.path(), 1)).unwrap());
    let bus = Embedded::start(folder.path(), store, Index::new(segments)).unwrap();
    let tail = bus.tail();
    for _ in 0..2 {
        assert!(matches!(bus.publish(event(1)).await, Err(BusError::Write(_))));
    }
    let error = bus.publish(event(1)).await.unwrap_err().to_string();
    assert!(error.contains("restart"), "{error}");
    assert_eq!(bus.tail(), tail);
}

#[tokio::test]
async fn an_event_that_is_too_large_is_refused_with_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Embedded::open(folder.path()).unwrap();
    let large = PurgeEvent { by: "x".repeat(EVENT_BYTES_MAX), ..event(1) };
    let error = bus.publish(large).await.unwrap_err().to_string();
    assert!(error.contains("larger than"), "{error}");
    assert_eq!(bus.publish(event(1)).await.unwrap().seq, 1);
}

#[tokio::test]
async fn refuses_a_log_of_a_newer_format_untouched() {
    let (folder, path, mut bytes, _) = three().await;
    bytes[7] = 2;
    let check = twox_hash::XxHash3_128::oneshot(&bytes[..24]);
    bytes[24..40].copy_from_slice(&check.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = Embedded::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("format 2"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_record_that_is_not_an_event_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), BOUNDS).unwrap();
    store.append([&b"from the future"[..]].into_iter()).unwrap();
    let end = store.present().end();
    drop(store);
    let bus = Embedded::open(folder.path()).unwrap();
    assert_eq!(next(&bus, None).await, Delivery::Gap(end));
}

#[tokio::test]
async fn a_segment_damaged_while_open_is_a_gap() {
    let (folder, path, bytes, tail) = three().await;
    let bus = Embedded::open(folder.path()).unwrap();
    fs::write(&path, vec![0xaa; bytes.len()]).unwrap();
    assert_eq!(next(&bus, None).await, Delivery::Gap(tail));
    fs::remove_file(&path).unwrap();
    assert!(matches!(bus.next(None).await, Err(BusError::Read(_))));
}
