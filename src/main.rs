//! The binary: hands the command line to `cli`.

use std::process::ExitCode;

/// What one thread allocates another frees, for every event; glibc makes them wait for each other.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    tidegate::cli::main()
}
