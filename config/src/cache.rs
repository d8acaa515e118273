//! `[cache]`: the tiers and their sizes.

use crate::{
    bounds, keys,
    model::{Cache, DiskTier, SharedTier},
    names,
    raw::Table,
    report::Mistake,
    s3,
    validate::{Marks, SharedMark},
};

/// Memory, disk and the shared tier.
pub(crate) fn cache(root: &Table<'_>, marks: &mut Marks) -> Cache {
    let table = root.table("cache", &keys::CACHE);
    let memory_bytes = table.amount(&bounds::CACHE_MEMORY);
    let disk = table.table_if("disk", &keys::DISK).map(|disk| {
        let path = disk.required("path").and_then(|value| value.path());
        let size = disk.required("size").map(|_| disk.amount(&bounds::DISK_SIZE));
        DiskTier { path: path.unwrap_or_default(), size_bytes: size.unwrap_or(bounds::DISK_SIZE.min) }
    });
    marks.object_max = table.number(&bounds::CACHE_OBJECT_MAX);
    let given = marks.object_max.as_ref().map(|spot| spot.value);
    // an object that fits no tier could never be a hit
    let largest = memory_bytes.max(disk.as_ref().map_or(0, |disk| disk.size_bytes));
    let object_bytes_max = given.unwrap_or_else(|| bounds::CACHE_OBJECT_MAX.fallback().min(largest));
    Cache { memory_bytes, disk, shared: shared(&table, marks), object_bytes_max }
}

fn shared(table: &Table<'_>, marks: &mut Marks) -> Option<SharedTier> {
    if let (Some(_), Some(folder)) = (table.value("s3"), table.value("folder")) {
        let mistake = Mistake::new(folder.span(), "\"s3\" and \"folder\" exclude each other");
        table.reader.push(mistake.help("keep one: both are the shared, persistent tier"));
    }
    if let Some(inner) = table.table_if("s3", &keys::CACHE_S3) {
        let bucket = inner.required("bucket").and_then(|value| value.parse(names::bucket));
        let prefix = inner.parse("prefix", names::prefix);
        let prefix = prefix.map(|spot| spot.value).unwrap_or_default();
        marks.shared = Some(SharedMark { span: inner.span(), place: prefix.clone() });
        let bucket = bucket.map(|spot| spot.value).unwrap_or_default();
        return Some(SharedTier::S3(s3::target(&inner, bucket, prefix)));
    }
    let folder = table.value("folder")?;
    Some(SharedTier::Folder { path: folder.path()? })
}
