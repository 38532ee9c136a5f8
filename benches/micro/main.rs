//! What each step of an event costs by itself, without sockets and, but for two files, without a disk.
//!
//!     cargo bench --features micro-benchmarks
//!
//! The argument of a benchmark is its number of events; one without an argument handles one. `scripts/instructions`
//! runs the same benchmarks under callgrind. Product code is never copied here: what is private is opened by a `micro`
//! beside it, behind the feature. [`input`] makes what goes in, every other file holds one step.

#![expect(clippy::unwrap_used, reason = "a benchmark whose input is broken measures nothing and may panic")]

mod append;
mod encode;
mod head;
mod input;
mod key;
mod normalise;
mod parse;
mod prepare;
mod read;
mod rows;
mod scan;
mod unsynced;

use std::time::Duration;

/// That of the product.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    // Long enough that a neighbour's burst does not make a median, short enough to run them all.
    let (least, most) = (Duration::from_millis(300), Duration::from_secs(5));
    divan::Divan::default().min_time(least).max_time(most).config_with_args().main();
}

/// Runs what is measured. `scripts/instructions` counts what happens within this function and on other threads, so it
/// must stay a function and keep its name; inputs are made, and outputs dropped, outside.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    work()
}
