//! From the text of one element to the canonical event: parsed, scanned, checked, put into columns.

use bytes::Bytes;
use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use tidegate::{
    event::json::value::Value,
    sources::{
        Limits,
        bof::{self, metadata::Metadata, record},
        segment::{
            Preset,
            element::{self, Element},
        },
    },
};

use crate::{input, measured};

#[divan::bench]
fn segment(bencher: Bencher<'_, '_>) {
    fate(bencher, Preset::Segment, &input::event(1), unparsed);
}

/// As an element of a batch, which was parsed when the batch was taken apart.
#[divan::bench]
fn segment_of_batch(bencher: Bencher<'_, '_>) {
    fate(bencher, Preset::Segment, &input::event(1), parsed);
}

#[divan::bench]
fn edx(bencher: Bencher<'_, '_>) {
    fate(bencher, Preset::Edx, &input::edx_event(1), unparsed);
}

fn unparsed(text: &str) -> Element<'_> {
    Element::Unparsed(text)
}

fn parsed(text: &str) -> Element<'_> {
    Element::Json(Value::new(text))
}

fn fate(bencher: Bencher<'_, '_>, preset: Preset, event: &str, element: impl Fn(&str) -> Element<'_>) {
    let (settings, body) = (input::settings(preset), Bytes::copy_from_slice(event.as_bytes()));
    let (arrival, text) = (input::arrival(&settings, &body), std::str::from_utf8(&body).unwrap());
    let fate = element::fate(&arrival, element(text), &mut ());
    assert!(matches!(fate, element::Fate::Event { course_unparsed: false, .. }), "{fate:?}");
    // Who knows the users need not be shared between threads, so neither is the arrival.
    bencher
        .counter(ItemsCount::new(1_usize))
        .counter(BytesCount::of_slice(&*body))
        .bench_local(|| measured(|| element::fate(&arrival, black_box(element(text)), &mut ())));
}

/// All of them, because no opportunity is like another.
#[divan::bench(args = [input::OPPORTUNITIES])]
fn bof(bencher: Bencher<'_, '_>, records: usize) {
    let plain = input::opportunities();
    let opportunities: Vec<Bytes> = input::records(&plain).collect();
    let (settings, metadata) = (bof::Settings::default(), Metadata::default());
    let arrival = bof::arrival::Arrival {
        settings: &settings,
        source: "load",
        data_center: None,
        metadata: &metadata,
        received_at: input::RECEIVED_AT,
        depth_max: Limits::streamed().depth,
    };
    let events = || {
        let fates = opportunities.iter().map(|sent| record::fate(&arrival, black_box(sent), &mut ()));
        fates.filter(|fate| matches!(fate, record::Fate::Event(_))).count()
    };
    assert_eq!(events(), records);
    bencher
        .counter(ItemsCount::new(records))
        .counter(BytesCount::of_slice(&plain))
        .bench(|| measured(events));
}
