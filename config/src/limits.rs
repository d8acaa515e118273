//! `[limits]`: bounds on what a stranger may ask of this node.

use std::{num::NonZero, thread::available_parallelism};

use crate::{
    bounds::{self, Bound},
    keys,
    model::Limits,
    raw::{Table, Value},
};

/// The bounds, with as many image threads as cores if the file says nothing.
pub(crate) fn limits(root: &Table<'_>) -> Limits {
    let table = root.table("limits", &keys::LIMITS);
    let count = |bound: &'static Bound| usize::try_from(table.amount(bound)).unwrap_or(usize::MAX);
    let threads = table.number(&bounds::IMAGE_THREADS).and_then(|spot| usize::try_from(spot.value).ok());
    Limits {
        connections_max: count(&bounds::CONNECTIONS_MAX),
        request_body_bytes_max: table.amount(&bounds::REQUEST_BODY_MAX),
        fetches_max: count(&bounds::FETCHES_MAX),
        image_threads: threads.unwrap_or_else(cores),
        image_queue_megapixels: table.amount(&bounds::IMAGE_QUEUE),
        has_image_workers: table.value("image_workers").and_then(Value::flag).unwrap_or(true),
        drain: table.time(&bounds::DRAIN),
        head_deadline: table.time(&bounds::HEAD_DEADLINE),
        idle: table.time(&bounds::IDLE),
        stall: table.time(&bounds::STALL),
    }
}

fn cores() -> usize {
    let most = usize::try_from(bounds::IMAGE_THREADS.max).unwrap_or(usize::MAX);
    available_parallelism().map_or(1, NonZero::get).min(most)
}
