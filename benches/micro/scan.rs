//! The scan for what no database can hold.

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use tidegate::{event::json::scan::storable, sources::Limits};

use crate::{input, measured};

#[divan::bench]
fn event_of_1_kib(bencher: Bencher<'_, '_>) {
    scan(bencher, &input::event(1));
}

#[divan::bench]
fn event_of_64_kib(bencher: Bencher<'_, '_>) {
    scan(bencher, &input::large_event());
}

fn scan(bencher: Bencher<'_, '_>, text: &str) {
    let depth = Limits::default().depth;
    assert!(storable(text, depth).is_ok());
    bencher
        .counter(ItemsCount::new(1_usize))
        .counter(BytesCount::of_str(text))
        .bench(|| measured(|| storable(black_box(text), depth)));
}
