//! Replays of refusals that are really stored, on both databases.

mod house;
mod proptests;

use std::{future::ready, io::Write as _, pin::pin};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use uuid::Uuid;

use self::house::{House, RECEIVED_AT, lenient, refusal, source, strict};
use super::{NotReplayable, ReplayError, ReplayReport, ReplayRequest};
use crate::{
    database::testing::TestDatabase,
    disk::simulated::{Failure, Operation},
    event::record::Refusal,
    ingest::answer::Trouble,
    operate::{
        record::ShownBody,
        refusals::{DiscardError, show},
    },
    sources::{Kind, Limits, Source, bof, segment::Users},
    store::{
        range::TimeRange,
        refusals::{Marking, RefusalFilter, RefusalState},
    },
};

/// Runs a test on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($database:ident: TestDatabase) $body:block)*) => {
        $(
            $(#[$doc])*
            async fn $name($database: TestDatabase) $body
        )*
        mod sqlite {
            use super::TestDatabase;
            $(#[tokio::test] async fn $name() { super::$name(TestDatabase::sqlite()).await }
            )*
        }
        mod postgres {
            use super::TestDatabase;
            $(#[tokio::test] async fn $name() { super::$name(TestDatabase::postgres().await).await }
            )*
        }
    };
}

fn event(key: &str, user: &str) -> String {
    format!(
        r#"{{"type":"track","event":"E","messageId":"{key}","userId":"{user}","timestamp":"2026-01-02T03:04:05Z"}}"#
    )
}

fn gzip(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap().into()
}

/// Every refusal that is new.
fn everything() -> ReplayRequest {
    ReplayRequest::default()
}

fn dry() -> ReplayRequest {
    ReplayRequest { dry_run: true, ..everything() }
}

on_both! {
    async fn a_mended_rule_brings_the_refused_ones_back(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        for index in 0..250 {
            house.send(&event(&format!("m{index}"), &format!("u{index}"))).await;
        }
        house.send("{}").await;
        house.drain().await;
        assert_eq!((house.events().await.len(), house.refusals().await.len()), (0, 251));

        let before = house.replay(&dry()).await;
        assert_eq!((before.considered, before.stored, before.refused["user.not_integer"]), (251, 0, 250));
        house.settings(vec![source(lenient())]);
        let dry = house.replay(&dry()).await;
        let want = ReplayReport {
            dry_run: true,
            considered: 251,
            stored: 250,
            refused: [("user.missing", 1)].into(),
            ..ReplayReport::default()
        };
        assert_eq!(dry, want);
        assert_eq!(house.spool.end(), 251, "a dry run appends nothing");
        assert_eq!(house.replay(&everything()).await, ReplayReport { dry_run: false, ..want });
        house.drain().await;

        let (events, refusals) = (house.events().await, house.refusals().await);
        assert_eq!((events.len(), refusals.len()), (250, 251));
        let replayed: Vec<_> =
            refusals.iter().filter(|refusal| refusal.state == RefusalState::Replayed).collect();
        assert!(replayed.iter().zip(&events).all(|(refusal, event)| refusal.refusal_id == event.event_id));
        assert!(events.iter().all(|event| event.received_at == RECEIVED_AT && event.host == "h"));
        let again = house.replay(&everything()).await;
        assert_eq!((again.considered, again.stored), (1, 0), "what is replayed is not considered again");
    }

    async fn only_what_is_asked_for_is_considered(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        for body in [&event("a", "x"), &event("b", "x"), "{}", "{"] {
            house.send(body).await;
        }
        house.drain().await;
        house.settings(vec![source(lenient())]);
        let considered = async |request: ReplayRequest| house.replay(&request).await.considered;
        let rule = |rule: &str| ReplayRequest { rule: Some(rule.into()), ..dry() };
        assert_eq!(considered(rule("user.not_integer")).await, 2);
        assert_eq!(considered(ReplayRequest { source: Some("other".into()), ..dry() }).await, 0);
        let late = TimeRange { from: Some(RECEIVED_AT + 1), to: None };
        assert_eq!(considered(ReplayRequest { received: late, ..dry() }).await, 0);
        let id = house.refusals().await[0].refusal_id;
        assert_eq!(considered(ReplayRequest { ids: vec![id], ..dry() }).await, 1);
        assert_eq!(considered(ReplayRequest { cursor: Some(id), ..dry() }).await, 3);
    }

    async fn a_call_is_bounded_and_the_next_goes_on(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        for batch in 0..4 {
            let elements: Vec<_> = (0..300).map(|index| event(&format!("{batch}-{index}"), "x")).collect();
            house.send(&format!("[{}]", elements.join(","))).await;
        }
        house.drain().await;
        house.settings(vec![source(lenient())]);
        let first = house.replay(&everything()).await;
        assert_eq!((first.considered, first.stored), (1000, 1000));
        let cursor = Some(first.next.unwrap().parse().unwrap());
        let rest = house.replay(&ReplayRequest { cursor, ..everything() }).await;
        assert_eq!((rest.considered, rest.stored, rest.next), (200, 200, None));
        house.drain().await;
        assert_eq!(house.events().await.len(), 1200);
    }

    /// The sender was told 400, mended its event and sent it again; or sent the refused one several times.
    async fn what_the_sender_sent_again_is_not_stored_twice(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        for body in [event("mended", "x"), event("mended", "7"), event("twice", "x"), event("twice", "y")] {
            house.send(&body).await;
        }
        house.drain().await;
        house.settings(vec![source(lenient())]);
        for dry_run in [true, false] {
            let report = house.replay(&ReplayRequest { dry_run, ..everything() }).await;
            assert_eq!((report.considered, report.stored, report.duplicates), (3, 1, 2));
        }
        house.drain().await;
        let users: Vec<_> = house.events().await.into_iter().map(|event| event.user_id.unwrap()).collect();
        assert_eq!(users, ["7", "x"], "the event that was accepted stays, the first refused one is stored");
        assert!(house.refusals().await.iter().all(|refusal| refusal.state == RefusalState::Replayed));
    }

    /// The mended event is in the spool and not in the tables yet: the lane finds what the look-up could not.
    async fn a_key_that_is_still_in_the_spool_is_found_by_the_lane_and_the_next_replay(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        house.send(&event("k", "x")).await;
        house.drain().await;
        house.settings(vec![source(lenient())]);
        house.send(&event("k", "mended")).await;
        assert_eq!(house.replay(&everything()).await.stored, 1);
        house.drain().await;
        let (events, refusals) = (house.events().await, house.refusals().await);
        assert_eq!((events.len(), events[0].user_id.as_deref()), (1, Some("mended")));
        assert_eq!((refusals.len(), refusals[0].state), (1, RefusalState::New));
        let again = house.replay(&everything()).await;
        assert_eq!((again.considered, again.stored, again.duplicates), (1, 0, 1));
        assert_eq!(house.refusals().await[0].state, RefusalState::Replayed);
        let kept = show(&house.database, refusals[0].refusal_id).await.unwrap().unwrap();
        assert_eq!(kept.body, ShownBody::Text(event("k", "x")), "its bytes are still there");
    }

    async fn a_crash_before_the_mark_stores_nothing_twice(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        // Without a key only the id tells that it is the same event.
        let keyless = event("x", "x").replace("messageId", "noId");
        for body in [&event("a", "x"), &keyless] {
            house.send(body).await;
        }
        house.drain().await;
        house.settings(vec![source(lenient())]);
        for drained in [true, false] {
            house.append_without_marking().await;
            if drained {
                house.drain().await;
            }
        }
        let report = house.replay(&everything()).await;
        assert_eq!((report.considered, report.stored, report.duplicates), (2, 1, 1));
        house.drain().await;
        assert_eq!(house.events().await.len(), 2);
        assert_eq!(house.totals().await, (2, 3), "stored once each; the copies are duplicates");
    }

    /// Two servers on one database.
    async fn two_replays_at_once_store_everything_once(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        for index in 0..30 {
            house.send(&event(&format!("m{index}"), "x")).await;
        }
        house.drain().await;
        house.settings(vec![source(lenient())]);
        let other = house.another_server();
        let (one, two) = {
            let request = everything();
            tokio::join!(house.replay.run(&request), other.run(&request))
        };
        let (one, two) = (one.unwrap(), two.unwrap());
        assert!(one.stored + two.stored >= 30, "{one:?} {two:?}");
        house.drain().await;
        assert_eq!(house.events().await.len(), 30);
        assert!(house.refusals().await.iter().all(|refusal| refusal.state == RefusalState::Replayed));
    }

    async fn a_conflict_is_stored_when_its_key_is_free(database: TestDatabase) {
        let house = House::new(&database, vec![source(lenient())]).await;
        house.send(&event("k", "first")).await;
        house.send_at(&event("k", "second"), RECEIVED_AT + 1_000_000).await;
        house.drain().await;
        assert_eq!(house.refusals().await[0].rule, "dedup.conflict");
        let report = house.replay(&everything()).await;
        assert_eq!((report.stored, report.refused["dedup.conflict"]), (0, 1));
        assert_eq!(house.refusals().await[0].state, RefusalState::New);

        house.prune_events(RECEIVED_AT + 1).await;
        assert_eq!(house.events().await.len(), 0);
        assert_eq!(house.replay(&everything()).await.stored, 1);
        house.drain().await;
        let (events, refusals) = (house.events().await, house.refusals().await);
        assert_eq!((events[0].user_id.as_deref(), events[0].event_id), (Some("second"), refusals[0].refusal_id));
        assert_eq!(refusals[0].state, RefusalState::Replayed);
    }

    /// The lane comes upon the event between the spool's receipt and the commit of the refusal's new state.
    async fn a_lane_has_the_last_word_however_soon_it_comes(database: TestDatabase) {
        let house = House::new(&database, vec![source(lenient())]).await;
        house.send(&event("k", "first")).await;
        house.send_at(&event("k", "second"), RECEIVED_AT + 1_000_000).await;
        house.drain().await;
        house.prune_events(RECEIVED_AT + 1).await;
        house.send(&event("k", "third")).await;

        let second = [house.refusals().await[0].refusal_id];
        let marking = Marking::begin(&house.database, &second, RefusalState::Replayed).await.unwrap();
        house.append_without_marking().await;
        let mut lane = pin!(house.drain());
        tokio::select! {
            () = &mut lane => panic!("the lane did not wait"),
            () = house.somebody_waits_for_a_row() => {}
        }
        let (marked, ()) = tokio::join!(marking.commit(), lane);
        assert_eq!((marked.unwrap(), house.events().await[0].user_id.as_deref()), (1, Some("third")));
        assert_eq!(house.refusals().await[0].state, RefusalState::New);
    }

    async fn a_database_that_only_reads_gets_no_copies_appended(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        house.send(&event("a", "x")).await;
        house.drain().await;
        house.settings(vec![source(lenient())]);
        let end = house.spool.end();
        house.shut_refusals().await;
        for _ in 0..2 {
            let failed = house.replay.run(&everything()).await.unwrap_err();
            assert!(matches!(failed, ReplayError::Storage(_)), "{failed:?}");
            assert_eq!(house.spool.end(), end);
        }
        assert_eq!(house.replay(&dry()).await.stored, 1);
        house.open_refusals().await;
        assert_eq!(house.replay(&everything()).await.stored, 1);
        assert_eq!((house.spool.end(), house.refusals().await[0].state), (end + 1, RefusalState::Replayed));
    }

    async fn a_discard_waits_for_a_replay(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        for index in 0..30 {
            house.send(&event(&format!("m{index}"), "x")).await;
        }
        house.drain().await;
        house.settings(vec![source(lenient())]);
        let (request, all) = (everything(), RefusalFilter::default());
        let mut replay = pin!(house.replay.run(&request));
        let mut discard = pin!(house.replay.discard(&all, true, false));
        tokio::select! {
            biased;
            _ = &mut replay => panic!("it has read nothing yet"),
            () = ready(()) => {}
        }
        // Time enough for a discard that does not wait.
        for _ in 0..50 {
            tokio::select! {
                biased;
                _ = &mut discard => panic!("the discard did not wait"),
                _ = house.refusals() => {}
            }
        }
        let (replayed, discarded) = tokio::join!(replay, discard);
        house.drain().await;
        assert_eq!((replayed.unwrap().stored, discarded.unwrap()), (30, 0));
        assert!(house.refusals().await.iter().all(|refusal| refusal.state == RefusalState::Replayed));
    }

    async fn a_body_with_a_bad_element_stays_in_the_list_and_its_good_ones_are_stored(database: TestDatabase) {
        let house = House::new(&database, vec![source(lenient())]).await;
        let body = gzip(&format!("[{},{{}},{}]", event("a", "x"), event("b", "y")));
        house.append(&refusal(1 << 16, "encoding.corrupt", "application/json; content-encoding=gzip", body)).await;
        house.drain().await;
        for (stored, duplicates) in [(2, 0), (0, 2)] {
            let report = house.replay(&everything()).await;
            assert_eq!((report.considered, report.stored, report.duplicates), (1, stored, duplicates));
            assert_eq!(report.refused["user.missing"], 1);
            house.drain().await;
        }
        let refusals = house.refusals().await;
        assert_eq!(refusals[0].state, RefusalState::New);
        let ids: Vec<_> = house.events().await.iter().map(|event| event.event_id.as_u128()).collect();
        assert_eq!(ids, [1 << 16, (1 << 16) + 2], "as a delivery numbers its elements");
    }

    /// Only of a whole body the Content-Type tells how it is still encoded; of an element it is the sender's own words.
    async fn a_content_type_that_lies_hides_no_event(database: TestDatabase) {
        let house = House::new(&database, vec![source(lenient())]).await;
        let body = Bytes::from(event("a", "x"));
        house.append(&refusal(1 << 16, "user.not_integer", "text/plain; content-encoding=gzip", body)).await;
        house.drain().await;
        assert_eq!(house.replay(&everything()).await.stored, 1);
    }

    async fn what_cannot_be_judged_is_counted_and_left(database: TestDatabase) {
        let of_bof = Source { kind: Kind::Bof(bof::Settings::default().into()), ..source(lenient()) };
        let house = House::new(&database, vec![source(lenient())]).await;
        let whole = Bytes::from(event("a", "x"));
        let cut = Refusal { truncated: true, ..refusal(1, "user.missing", "", whole.clone()) };
        let of_other = Refusal { source: "gone".into(), ..refusal(2, "user.missing", "", whole.clone()) };
        let mut last = refusal(65_535, "encoding.corrupt", "; content-encoding=gzip", gzip("[{},{}]"));
        last.element = None;
        for refused in [&cut, &of_other, &last, &refusal(3 << 16, "body.malformed", "x; content-encoding=gzip", gzip(&"x".repeat(1 << 20)))] {
            house.append(refused).await;
        }
        house.drain().await;
        let limited = Source { limits: Limits { decoded_bytes: 1000, ..Default::default() }, ..source(lenient()) };
        house.settings(vec![limited]);
        let report = house.replay(&everything()).await;
        let want = NotReplayable { truncated: 1, source_unknown: 1, too_large: 1 };
        assert_eq!((report.considered, report.stored, report.not_replayable), (4, 0, want));
        assert_eq!(report.refused["user.missing"], 2, "what has no id of its own is not stored, and not judged away");
        house.settings(vec![of_bof]);
        assert_eq!(house.replay(&everything()).await.not_replayable.source_unknown, 4, "of another kind");
        assert!(house.refusals().await.iter().all(|refusal| refusal.state == RefusalState::New));
    }

    async fn trouble_stops_a_replay_and_what_was_done_is_told(database: TestDatabase) {
        let house = House::with_spool(&database, vec![source(strict())], 1_350_000).await;
        let long = "x".repeat(2000);
        for index in 0..300 {
            house.send(&event(&format!("m{index}"), &long)).await;
        }
        house.drain().await;
        house.settings(vec![source(lenient())]);
        // The spool has room for some of them; what the lane has taken is deleted with its file only.
        let first = house.replay(&everything()).await;
        assert!(first.considered > 0 && first.considered < 300 && first.stored == first.considered, "{first:?}");
        let cursor: Option<Uuid> = Some(first.next.unwrap().parse().unwrap());
        let stopped = house.replay.run(&ReplayRequest { cursor, ..everything() }).await.unwrap_err();
        assert!(matches!(stopped, ReplayError::Unavailable(Trouble::MakesWay)), "{stopped:?}");

        let mut directory = lenient();
        directory.users = Users::Directory;
        house.settings(vec![source(directory)]);
        let unloaded = house.replay.run(&dry()).await.unwrap_err();
        assert!(matches!(unloaded, ReplayError::Unavailable(Trouble::DirectoryNotLoaded)), "{unloaded:?}");
    }

    async fn what_is_not_durable_is_not_called_replayed(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        house.send(&event("a", "x")).await;
        house.drain().await;
        house.settings(vec![source(lenient())]);
        house.disk.fail(Operation::Sync, 1, Failure::Io);
        let failed = house.replay.run(&everything()).await.unwrap_err();
        assert!(matches!(failed, ReplayError::Unavailable(Trouble::SpoolPoisoned)), "{failed:?}");
        assert_eq!(house.refusals().await[0].state, RefusalState::New);
    }

    async fn a_discard_says_what_it_means(database: TestDatabase) {
        let house = House::new(&database, vec![source(strict())]).await;
        for body in ["{}", "{", "\u{0}"] {
            house.send(body).await;
        }
        house.drain().await;
        let (replay, all) = (&house.replay, RefusalFilter::default());
        let unbounded = replay.discard(&all, false, false).await.unwrap_err();
        assert!(matches!(unbounded, DiscardError::Unbounded));
        let of_rule = RefusalFilter { rule: Some("user.missing".into()), ..all.clone() };
        for dry_run in [true, false] {
            assert_eq!(replay.discard(&of_rule, false, dry_run).await.unwrap(), 1);
        }
        assert_eq!(replay.discard(&all, true, false).await.unwrap(), 2);
        assert_eq!(house.replay(&everything()).await.considered, 0, "what is discarded is not replayed");
        let shown = show(&house.database, house.refusals().await[0].refusal_id).await.unwrap().unwrap();
        let shown = serde_json::to_value(&shown).unwrap();
        assert_eq!((&shown["body"]["encoding"], &shown["state"]), (&"utf-8".into(), &"discarded".into()));
        assert_eq!(shown["metadata"], serde_json::json!({}));
        assert_eq!(ShownBody::new(b"\xff"), ShownBody::Base64("/w==".into()));
    }
}
