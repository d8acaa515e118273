//! Memory that nobody uses goes back to the system.
//!
//! Allocators keep what was freed for a while, and a thread that then does nothing keeps it for ever: a burst of large
//! renderings would stay resident until the next one. Rust's memory comes from mimalloc, that of the image encoders in C from
//! the C library. Both are told here to keep less, once, and asked to give back, now and then; that takes some milliseconds,
//! and what is used next has to be fetched anew.

use std::ffi::{c_int, c_long, c_ulong};

// links what is declared below
use mimalloc as _;

/// `mi_option_purge_delay` in mimalloc 3: milliseconds until memory that was freed goes back to the system.
const PURGE_DELAY: c_int = 15;
/// What it is unless someone says otherwise.
const OWN_PURGE_DELAY_MS: c_long = 1_000;
/// Long enough for renderings in a row to find the pages of the one before.
const PURGE_DELAY_MS: c_long = 50;

unsafe extern "C" {
    fn mi_collect(force: bool);
    fn mi_option_get(option: c_int) -> c_long;
    fn mi_option_set(option: c_int, value: c_long);
    #[cfg(target_env = "gnu")]
    fn malloc_trim(pad: usize) -> c_int;
}

/// Keeps freed memory for a short time, and none for the sake of huge pages, of which each thread would touch its own. To be
/// called before there are threads. A delay that the environment sets (`MIMALLOC_PURGE_DELAY`) stays.
pub(crate) fn keep_little() {
    // SAFETY: numbers; options may be read and set at any time.
    unsafe {
        if mi_option_get(PURGE_DELAY) == OWN_PURGE_DELAY_MS {
            mi_option_set(PURGE_DELAY, PURGE_DELAY_MS);
        }
    }
    let (on, none): (c_ulong, c_ulong) = (1, 0);
    // SAFETY: numbers, and it changes only how the kernel backs pages. A kernel that can't leaves them as they are.
    let _is_refused = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, on, none, none, none) };
}

/// Gives back what this thread holds unused, and what threads that ended or freed have left behind.
pub(crate) fn give_back() {
    // SAFETY: no arguments but a flag, and it may be called at any time; where mimalloc is not the allocator it finds nothing.
    unsafe { mi_collect(true) };
    // SAFETY: no arguments but how much to keep, and it may be called at any time from any thread.
    #[cfg(target_env = "gnu")]
    let _is_released = unsafe { malloc_trim(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: a number; an option may be read at any time.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), OWN_PURGE_DELAY_MS);
        keep_little();
        assert_eq!(delay(), PURGE_DELAY_MS);
    }

    #[test]
    fn what_is_used_stays() {
        let kept = vec![7_u8; 8 << 20];
        drop(vec![1_u8; 64 << 20]);
        give_back();
        assert!(kept.iter().all(|byte| *byte == 7));
    }
}
