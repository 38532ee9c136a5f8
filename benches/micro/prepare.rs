//! The whole pure step: from the bytes of a body to the chunk that is appended.

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use tidegate::{ingest::micro::Preparing, sources::segment::Preset};

use crate::{input, measured};

/// As many as a source remembers at least when it is busy; none of them is sent.
const RECENT_KEYS: usize = 65_536;

#[divan::bench(args = [1, 100])]
fn delivery(bencher: Bencher<'_, '_>, events: usize) {
    let (delivery, settings) = (input::delivery(), input::settings(Preset::Segment));
    let recent: Vec<String> = (0..RECENT_KEYS).map(|number| format!("r-{number}")).collect();
    let recent = recent.iter().map(String::as_str);
    let preparing = Preparing::new(&delivery, &settings, &input::NoUsers, recent).unwrap();
    let body = input::delivery_body(events);
    assert_eq!(preparing.prepare(&body).unwrap().len(), events);
    bencher
        .counter(ItemsCount::new(events))
        .counter(BytesCount::of_slice(&*body.wire))
        .bench_local(|| measured(|| preparing.prepare(black_box(&body))));
}
