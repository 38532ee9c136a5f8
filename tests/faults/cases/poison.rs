//! Rows that the database will never take, among those that it does.

use std::{fs, time::Duration};

use tidegate::{drain::letter::DeadLetter, event::record::Event};

use super::Context;
use crate::{
    oracle::Allowance,
    payload::Element,
    report::Finding,
    rig::{Rig, until_within},
    storage::Storage,
};

/// Elements with even numbers below this are refused.
const LONG: usize = 22_500;
const SHORT: usize = 600;

/// Each row that is found takes some statements and two fsyncs.
const PATIENCE: Duration = Duration::from_mins(10);

/// Exactly the bad rows become dead letters, and the good ones between them are stored.
pub(super) async fn rows(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::postgres(name, context).await;
    let (limit, buries): (usize, fn(Element) -> bool) = if context.is_short {
        (SHORT, |element| is_poison(element, SHORT))
    } else {
        (LONG, |element| is_poison(element, LONG))
    };
    // The tables are there once something is stored. Those first few come before the constraint, and go again.
    let Storage::Postgres { name: database, .. } = &rig.trial.storage else { panic!("no PostgreSQL") };
    let constraint = format!(
        "ALTER TABLE events ADD CONSTRAINT poison \
         CHECK (dedup_key NOT LIKE 'crash-%' OR dedup_key >= '{}' OR dedup_key !~ '[02468]$')",
        Element(limit).message_id()
    );
    let server = context.server();
    rig.collector.start().await;
    until_within(PATIENCE, "the tables", || async { server.try_sql(database, &constraint).await.is_ok() })
        .await;
    rig.collector.stop().await;

    rig.start().await;
    // More than a few are sent more than once.
    rig.answers(limit * 5 / 4 + 500).await;
    // Nothing comes behind the letters that are counted.
    rig.load.finish().await;
    rig.delivers_within(PATIENCE).await;
    let letters = letters(&rig);
    let fired = letters.len();
    let note = format!("{fired} dead letters, the rest stored");
    let allowance = Allowance { buries: Some(buries), letters, destroys: false };
    rig.judge_allowing(fired, note, &allowance).await
}

fn is_poison(element: Element, limit: usize) -> bool {
    element.is_good() && element.0 < limit && element.0.is_multiple_of(2)
}

/// The events among the dead letters, each byte for byte what was sent.
fn letters(rig: &Rig) -> Vec<Element> {
    let directory = rig.collector.data.join("dead/storage");
    let letters = fs::read_dir(directory).unwrap().map(|entry| {
        let letter = DeadLetter::from_bytes(&fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let event: Event = prost::Message::decode(letter.payload).unwrap();
        let element = Element::named(event.dedup_key.as_deref().unwrap()).unwrap();
        let content = element.content();
        assert_eq!((&*event.event, &*event.context), (content.event.as_bytes(), content.context.as_bytes()));
        element
    });
    letters.collect()
}
