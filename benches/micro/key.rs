//! The key check.

use divan::{Bencher, black_box, counter::ItemsCount};

use crate::{input, measured};

/// Its instructions depend on the machine more than others': SHA-256 is one of few where the processor has it.
#[divan::bench]
fn authenticate(bencher: Bencher<'_, '_>) {
    let raw = input::raw_delivery();
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| raw.clone())
        .bench_values(|raw| measured(|| raw.authenticate(black_box(Some(input::QUERY)))));
}
