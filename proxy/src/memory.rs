//! Memory that nobody uses goes back to the system.
//!
//! Allocators keep what was freed for a while, and a thread that then does nothing keeps it for ever: a burst of large
//! renderings would stay resident until the next one. Rust's memory comes from mimalloc, that of the image encoders in C from
//! the C library. Both are asked here; it takes some milliseconds, and what is used next has to be fetched anew.

use std::ffi::c_int;

// links what is declared below
use mimalloc as _;

unsafe extern "C" {
    fn mi_collect(force: bool);
    #[cfg(target_env = "gnu")]
    fn malloc_trim(pad: usize) -> c_int;
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
    fn what_is_used_stays() {
        let kept = vec![7_u8; 8 << 20];
        drop(vec![1_u8; 64 << 20]);
        give_back();
        assert!(kept.iter().all(|byte| *byte == 7));
    }
}
