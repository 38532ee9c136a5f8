//! The head of a request: finding its end and judging it.

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use tidegate::http::server::{Settings, micro::passes};

use crate::{input, measured};

#[divan::bench]
fn judge(bencher: Bencher<'_, '_>) {
    let (path, query, host) = (input::PATH, input::QUERY, input::HOST);
    let head = format!(
        "POST {path}?{query} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: analytics-webhooks/1.0\r\n\
         Accept: */*\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n"
    );
    let settings = Settings::default();
    assert!(passes(head.as_bytes(), &settings));
    bencher
        .counter(ItemsCount::new(1_usize))
        .counter(BytesCount::of_str(&head))
        .bench(|| measured(|| passes(black_box(head.as_bytes()), &settings)));
}
