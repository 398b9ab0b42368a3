//! How much memory is in use.
//!
//! The blocks of this program's Rust code are counted as they are taken and given
//! back; those of C libraries, which take theirs from the same `malloc`, are what that
//! says is in use besides.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};

/// Whether blocks are counted: where time is measured, that would be measured too.
static COUNTING: AtomicBool = AtomicBool::new(false);
/// How much more than at the start the Rust code of this program has in use, in bytes
/// as `malloc` counts them.
static IN_USE: AtomicIsize = AtomicIsize::new(0);
/// How many blocks that code has taken while they were counted.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting when it is told to.
#[derive(Debug)]
pub struct Counting;

impl Counting {
    fn count(block: *mut u8, sign: isize) {
        if COUNTING.load(Ordering::Relaxed) {
            IN_USE.fetch_add(sign * size_of_block(block).cast_signed(), Ordering::Relaxed);
            TAKEN.fetch_add(usize::from(sign > 0), Ordering::Relaxed);
        }
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let block = unsafe { System.alloc(layout) };
        Self::count(block, 1);
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let block = unsafe { System.alloc_zeroed(layout) };
        Self::count(block, 1);
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::count(block, -1);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(block, -1);
        // SAFETY: as the caller promises.
        let moved = unsafe { System.realloc(block, layout, size) };
        Self::count(if moved.is_null() { block } else { moved }, 1);
        moved
    }
}

/// What a block costs, in bytes: what `malloc` rounded its size up to, and its header.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn size_of_block(block: *mut u8) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: the block is one of `malloc`'s, and live.
    unsafe { libc::malloc_usable_size(block.cast()) + size_of::<usize>() }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn size_of_block(_: *mut u8) -> usize {
    0
}

/// By how much the memory in use has grown, in bytes, with what `malloc` itself needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// By everyone's.
    pub all: usize,
    /// By that of the Rust code of this program.
    pub rust: usize,
}

/// What `make` makes, and by how much the memory in use has grown with it; `None` where
/// nobody can tell (it takes glibc).
///
/// # Errors
/// What `make` says.
pub fn growth<T>(make: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Option<Growth>)> {
    let before = (in_use(), IN_USE.load(Ordering::Relaxed));
    COUNTING.store(true, Ordering::Relaxed);
    let made = make();
    COUNTING.store(false, Ordering::Relaxed);
    let after = (in_use(), IN_USE.load(Ordering::Relaxed));
    let grown = before.0.zip(after.0).map(|(before, after)| after.saturating_sub(before));
    let rust = usize::try_from(after.1 - before.1).unwrap_or_default();
    Ok((made?, grown.map(|all| Growth { all, rust })))
}

/// What `run` gives, and how much more than before it the Rust code of this program has in
/// use, in bytes as `malloc` counts them; 0 where nobody can tell.
pub fn taken<T>(run: impl FnOnce() -> T) -> (T, isize) {
    let before = IN_USE.load(Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    let made = run();
    COUNTING.store(false, Ordering::Relaxed);
    (made, IN_USE.load(Ordering::Relaxed) - before)
}

/// What `run` gives, and how many blocks of memory the Rust code of this program took for
/// it.
pub fn allocations<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = TAKEN.load(Ordering::Relaxed);
    let (made, _) = taken(run);
    (made, TAKEN.load(Ordering::Relaxed) - before)
}

/// What `malloc` has given away, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn in_use() -> Option<usize> {
    // SAFETY: the function gives numbers.
    let info = unsafe { libc::mallinfo2() };
    Some(info.uordblks + info.hblkhd)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn in_use() -> Option<usize> {
    None
}
