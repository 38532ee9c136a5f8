//! Taking apart: an event into members, a batch into events, a stream into records.

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use tidegate::{event::json::object::Object, sources::segment::element};

use crate::{input, measured};

#[divan::bench]
fn object(bencher: Bencher<'_, '_>) {
    let text = input::event(1);
    assert!(Object::parse(&text).is_ok());
    bencher
        .counter(ItemsCount::new(1_usize))
        .counter(BytesCount::of_str(&text))
        .bench(|| measured(|| Object::parse(black_box(&text))));
}

#[divan::bench(args = [100])]
fn batch(bencher: Bencher<'_, '_>, events: usize) {
    let body = input::body(events);
    assert_eq!(element::split(body.as_bytes(), events, &mut ()).elements.unwrap().len(), events);
    bencher
        .counter(ItemsCount::new(events))
        .counter(BytesCount::of_str(&body))
        .bench(|| measured(|| element::split(black_box(body.as_bytes()), events, &mut ())));
}

/// Each record is let go as soon as it is there, as ingest does.
#[divan::bench(args = [input::OPPORTUNITIES])]
fn records(bencher: Bencher<'_, '_>, records: usize) {
    let plain = input::opportunities();
    assert_eq!(input::records(&plain).count(), records);
    bencher
        .counter(ItemsCount::new(records))
        .counter(BytesCount::of_slice(&plain))
        .bench(|| measured(|| input::records(black_box(&plain)).count()));
}
