//! The files of the purge log and the rules by which they are trusted after a crash.
//!
//! A record torn at the very end was never acknowledged: it is cut off. Anything else that is wrong may have been an
//! acknowledged purge: the readable beginning is kept and the log takes a new epoch, so that every stored response is
//! validated before use. A failed fsync leaves the state of the file unknown; from then on this log refuses writes.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions, TryLockError},
    hash::{BuildHasher as _, RandomState},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::{
    index::Segment,
    segment::{self, Ending, Head, HeadError, Records},
};
use crate::bus::BusError;

/// Far above any segment that this program writes; what stands behind it is taken for damage.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bounds of a log's files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// A segment that would grow larger is followed by another. Bytes.
    pub(super) segment_bytes_max: u64,
    /// Segments kept.
    pub(super) segments_max: usize,
}

/// The open log, owned by the thread that writes it.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    bounds: Bounds,
    active: File,
    /// The segment that `active` is.
    present: Segment,
    /// Why writes are refused.
    poison: Option<String>,
    /// Held until the store is dropped.
    _lock: File,
}

/// Path of a segment.
pub(super) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("segment-{number:016x}.log"))
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    u64::from_str_radix(digits, 16).ok()
}

/// Never zero, so that an epoch of zero always means "none".
fn new_epoch() -> u64 {
    RandomState::new().hash_one("purge log epoch").max(1)
}

impl Store {
    /// Opens or begins the log in `dir` and gives what it holds.
    pub(super) fn open(dir: &Path, bounds: Bounds) -> Result<(Self, VecDeque<Segment>), BusError> {
        let unreadable = |error: io::Error| BusError::Read(format!("{}: {error}", dir.display()));
        fs::create_dir_all(dir).map_err(unwritable(dir))?;
        let lock = lock(dir)?;
        let mut found = Found::survey(dir).map_err(unreadable)?;
        if let Some(version) = found.newer_version {
            return Err(BusError::Read(format!(
                "{} was written in format {version}, this program knows format 1",
                dir.display()
            )));
        }
        let (present, active) = found.settle(dir).map_err(unwritable(dir))?;
        let store = Self { dir: dir.to_owned(), bounds, active, present, poison: None, _lock: lock };
        store.drop_old(&mut found.segments);
        Ok((store, found.segments))
    }

    /// The segment being written.
    pub(super) const fn present(&self) -> Segment {
        self.present
    }

    /// Begins a segment when the present one can't take `payload_bytes` more in `payloads` records; gives it.
    pub(super) fn make_room(
        &mut self,
        payload_bytes: usize,
        payloads: usize,
    ) -> Result<Option<Segment>, BusError> {
        self.refuse_poisoned()?;
        let bytes = payload_bytes.saturating_add(payloads.saturating_mul(segment::RECORD_BYTES)) as u64;
        if self.present.is_empty()
            || self.present.bytes.saturating_add(bytes) <= self.bounds.segment_bytes_max
        {
            return Ok(None);
        }
        self.begin(self.present.epoch, self.present.last_seq.saturating_add(1)).map(Some)
    }

    /// Makes records of these payloads durable. Nothing was numbered when this fails.
    pub(super) fn append<'a>(&mut self, payloads: impl Iterator<Item = &'a [u8]>) -> Result<(), BusError> {
        self.refuse_poisoned()?;
        let mut bytes = Vec::new();
        let mut seq = self.present.last_seq;
        for payload in payloads {
            seq = seq.saturating_add(1);
            segment::encode_record(self.present.epoch, seq, payload, &mut bytes);
        }
        self.write_durably(&bytes)?;
        self.present.bytes += bytes.len() as u64;
        self.present.last_seq = seq;
        Ok(())
    }

    fn refuse_poisoned(&self) -> Result<(), BusError> {
        self.poison.as_ref().map_or(Ok(()), |poison| Err(BusError::Write(poison.clone())))
    }

    fn write_durably(&mut self, bytes: &[u8]) -> Result<(), BusError> {
        let before = self.present.bytes;
        if let Err(error) = self.active.write_all(bytes) {
            // part of a record may stand there; unless it can be taken back, later records would follow garbage
            if let Err(cut) = self.active.set_len(before) {
                self.poison =
                    Some(format!("a failed write could not be taken back ({cut}); restart to repair"));
            }
            return Err(unwritable(&self.dir)(error));
        }
        self.active.sync_data().map_err(|error| {
            let poison = format!("fsync failed ({error}), no more writes are accepted; restart to repair");
            self.poison = Some(poison.clone());
            if let Err(cut) = self.active.set_len(before) {
                tracing::warn!(error = %cut, "unacknowledged purges may come back at the next start");
            }
            BusError::Write(poison)
        })
    }

    /// Begins a segment after the present one. On failure the present one stays.
    pub(super) fn begin(&mut self, epoch: u64, first_seq: u64) -> Result<Segment, BusError> {
        let head = Head { epoch, first_seq };
        let (segment, file) =
            create(&self.dir, self.present.number + 1, head).map_err(unwritable(&self.dir))?;
        self.active = file;
        self.present = segment;
        Ok(segment)
    }

    /// Goes on under another name, numbered after `seq`.
    pub(super) fn begin_epoch(&mut self, seq: u64) -> Result<Segment, BusError> {
        self.begin(new_epoch(), seq.max(self.present.last_seq).saturating_add(1))
    }

    /// Removes the oldest segments above the bound.
    pub(super) fn drop_old(&self, segments: &mut VecDeque<Segment>) {
        while segments.len() > self.bounds.segments_max.max(1) {
            let Some(oldest) = segments.pop_front() else { break };
            if let Err(error) = fs::remove_file(path_of(&self.dir, oldest.number)) {
                tracing::warn!(%error, segment = oldest.number, "old purge log segment could not be removed");
            }
        }
    }

    #[cfg(test)]
    pub(super) fn replace_active(&mut self, file: File) {
        self.active = file;
    }
}

fn unwritable(dir: &Path) -> impl Fn(io::Error) -> BusError {
    move |error| BusError::Write(format!("{}: {error}", dir.display()))
}

fn lock(dir: &Path) -> Result<File, BusError> {
    let path = dir.join("lock");
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(unwritable(dir))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BusError::Write(format!(
            "{} is in use by another process; each process needs a folder of its own",
            dir.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unwritable(dir)(error)),
    }
}

/// Writes a segment's head durably before the segment gets its name.
fn create(dir: &Path, number: u64, head: Head) -> io::Result<(Segment, File)> {
    let path = path_of(dir, number);
    let unnamed = path.with_extension("tmp");
    let bytes = head.encode();
    fs::write(&unnamed, &bytes)?;
    let file = OpenOptions::new().append(true).open(&unnamed)?;
    file.sync_all()?;
    fs::rename(&unnamed, &path)?;
    File::open(dir)?.sync_all()?;
    let segment = Segment {
        number,
        epoch: head.epoch,
        first_seq: head.first_seq,
        last_seq: head.first_seq.saturating_sub(1),
        bytes: bytes.len() as u64,
    };
    Ok((segment, file))
}

/// What stands in the folder.
#[derive(Debug, Default)]
struct Found {
    /// Trusted segments, oldest first.
    segments: VecDeque<Segment>,
    /// The last trusted segment ends in a torn record.
    is_torn: bool,
    /// What is wrong with the first thing that can't be trusted.
    damage: Option<String>,
    /// Segments after the damage.
    untrusted: Vec<u64>,
    /// Highest number seen in any readable head or record.
    seq_max: u64,
    /// Highest segment number in any file name.
    number_max: u64,
    newer_version: Option<u8>,
}

impl Found {
    fn survey(dir: &Path) -> io::Result<Self> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.extension().is_some_and(|extension| extension == "tmp") {
                fs::remove_file(&path)?;
            } else if let Some(number) = number_of(name) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        let mut found = Self { number_max: numbers.last().copied().unwrap_or_default(), ..Self::default() };
        for number in numbers {
            let bytes = read_bounded(&path_of(dir, number))?;
            found.add(number, &bytes);
        }
        Ok(found)
    }

    fn add(&mut self, number: u64, bytes: &[u8]) {
        let head = match Head::decode(bytes) {
            Ok(head) => head,
            Err(HeadError::Version(version)) => {
                self.newer_version = Some(version);
                return;
            }
            Err(HeadError::Damaged) => return self.distrust(number, "its head is damaged"),
        };
        let mut records = Records::new(head, bytes);
        records.by_ref().for_each(drop);
        let last_seq = records.next_seq().saturating_sub(1);
        self.seq_max = self.seq_max.max(last_seq);
        if self.damage.is_some() {
            return self.distrust(number, "");
        }
        if self.is_torn {
            return self.distrust(number, "the segment before it is cut short");
        }
        if let Some(before) = self.segments.back() {
            let follows = head.first_seq == before.last_seq.saturating_add(1);
            if (head.epoch == before.epoch && !follows) || head.first_seq <= before.last_seq {
                return self.distrust(number, "the records before it are missing");
            }
        }
        let good_bytes = records.good_bytes() as u64;
        let segment =
            Segment { number, epoch: head.epoch, first_seq: head.first_seq, last_seq, bytes: good_bytes };
        self.segments.push_back(segment);
        match records.ending() {
            Ending::Clean => {}
            Ending::Torn => self.is_torn = true,
            Ending::Damaged => {
                self.damage = Some(format!("segment {number:x}: damaged after byte {good_bytes}"));
            }
        }
    }

    fn distrust(&mut self, number: u64, why: &str) {
        self.damage.get_or_insert_with(|| format!("segment {number:x}: {why}"));
        self.untrusted.push(number);
    }

    /// Repairs the folder and gives the segment to write on.
    fn settle(&mut self, dir: &Path) -> io::Result<(Segment, File)> {
        if let Some(damage) = &self.damage {
            tracing::warn!(
                folder = %dir.display(), %damage,
                "purge log is damaged, its end is lost: every stored response will be validated before use"
            );
        }
        if self.damage.is_none()
            && let Some(last) = self.segments.back().copied()
        {
            self.cut(dir)?;
            return Ok((last, OpenOptions::new().append(true).open(path_of(dir, last.number))?));
        }
        // the new name stands before the old end goes: a crash between the two is damage found again
        let head = Head { epoch: new_epoch(), first_seq: self.seq_max.saturating_add(1) };
        let (segment, file) = create(dir, self.number_max + 1, head)?;
        self.cut(dir)?;
        for number in &self.untrusted {
            fs::remove_file(path_of(dir, *number))?;
        }
        self.segments.push_back(segment);
        Ok((segment, file))
    }

    /// Cuts off what follows the readable part of the last trusted segment that was there.
    fn cut(&self, dir: &Path) -> io::Result<()> {
        let Some(last) = self.segments.back() else { return Ok(()) };
        let file = OpenOptions::new().write(true).open(path_of(dir, last.number))?;
        let bytes = file.metadata()?.len();
        if bytes > last.bytes {
            if self.is_torn {
                tracing::info!(bytes = bytes - last.bytes, "cut an unacknowledged purge off the log");
            }
            file.set_len(last.bytes)?;
            file.sync_all()?;
        }
        Ok(())
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
