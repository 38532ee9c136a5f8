//! What only PostgreSQL does: jsonb, deadlines, and connections that break.

use std::{future::pending, time::Duration};

use bytes::Bytes;
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use super::{PostgresSink, sink::attempt};
use crate::{
    clock::Clock,
    database::testing::TestDatabase,
    event::record::Event,
    sinks::{Batch, ErrorClass, Sink, SinkError, Written},
};

struct World {
    database: TestDatabase,
    sink: PostgresSink,
}

async fn world() -> World {
    let database = TestDatabase::postgres().await;
    let sink = PostgresSink::new("storage".into(), database.handle(), Clock::manual(0));
    World { database, sink }
}

impl World {
    async fn execute(&self, sql: &str) {
        let handle = self.database.handle();
        let pool = handle.postgres().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
    }

    async fn text(&self, sql: &str) -> String {
        let handle = self.database.handle();
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(handle.postgres().await.unwrap()).await.unwrap()
    }

    /// Writes one event as the first of a spool of its own.
    async fn write(&self, spool: u128, event: &Event) -> Result<Written, SinkError> {
        let batch = Batch {
            spool_id: Uuid::from_u128(spool),
            expected: None,
            from: 0,
            to: 1,
            events: vec![event],
            refusals: vec![],
            dead: 0,
            gaps: 0,
        };
        self.sink.write(&batch).await
    }
}

fn event(number: u64, json: &'static str) -> Event {
    Event {
        event_id_low: number,
        source: "mobile".into(),
        event: Bytes::from_static(json.as_bytes()),
        context: Bytes::from_static(b"{}"),
        ..Event::default()
    }
}

#[tokio::test]
async fn jsonb_keeps_every_digit_and_refuses_what_it_cannot_hold() {
    let world = world().await;
    let numbers =
        r#"{"b":12345678901234567890123,"a":[1.500,-0.0,1e3,0.1e-20],"a":[1.500,-0.0,1e3,0.1e-20]}"#;
    world.write(1, &event(1, numbers)).await.unwrap();
    let kept = r#"{"a": [1.500, 0.0, 1000, 0.000000000000000000001], "b": 12345678901234567890123}"#;
    assert_eq!(world.text("SELECT event::text FROM events").await, kept);
    for (poison, code) in [
        (r#"{"a":"\u0000"}"#, "22P05"),
        (r#"{"a":"\ud800"}"#, "22P02"),
        (r#"{"a":"#, "22P02"),
        ("", "22P02"),
        ("\"\0\"", "22021"),
    ] {
        let error = world.write(2, &event(2, poison)).await.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (ErrorClass::PoisonRow, code), "{poison:?}");
    }
    // An index takes less than 2,704 bytes, after compression.
    let digits: Vec<_> =
        (0..3_000).map(|number| Uuid::from_u128(number * number * number).to_string()).collect();
    let too_long = Event { dedup_key: Some(digits.concat()), ..event(2, "1") };
    assert_eq!(world.write(2, &too_long).await.unwrap_err().class, ErrorClass::PoisonRow);
    world.write(2, &event(2, "1")).await.unwrap();
}

#[tokio::test]
async fn a_read_only_server_is_for_a_person_to_mend_and_then_works() {
    let world = world().await;
    let name = world.text("SELECT current_database()").await;
    world.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    // The setting is for new connections.
    let sink = PostgresSink::new("storage".into(), world.database.stranger(), Clock::manual(0));
    let refused = sink.canary().await.unwrap_err();
    assert_eq!((refused.class, refused.code.as_str()), (ErrorClass::Configuration, "25006"));
    world.execute(&format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await;
    sink.canary().await.unwrap();
}

/// Runs SQL while a transaction commits.
async fn at_commit(world: &World, sql: &str) {
    let trigger = format!(
        "CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM {sql}; RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION at_commit()"
    );
    world.execute(&trigger).await;
}

#[tokio::test]
async fn a_connection_lost_while_committing_leaves_the_outcome_unknown() {
    let world = world().await;
    at_commit(&world, "pg_terminate_backend(pg_backend_pid())").await;
    let error = world.write(1, &event(1, "1")).await.unwrap_err();
    assert_eq!((error.class, error.code.as_str()), (ErrorClass::OutcomeUnknown, "57P01"));
    assert_eq!(world.sink.cursor(Uuid::from_u128(1)).await.unwrap(), None);
    world.execute("DROP TRIGGER at_commit ON events").await;
    world.write(1, &event(1, "1")).await.unwrap();
}

#[tokio::test]
async fn a_connection_lost_between_batches_is_replaced() {
    let world = world().await;
    world.write(1, &event(1, "1")).await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    world.execute(kill).await;
    let lost = world.write(2, &event(2, "1")).await;
    assert!(lost.is_ok_and(|written| written.stored == 1));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let world = world().await;
    let handle = world.database.handle();
    let soon = || Instant::now() + Duration::from_millis(20);
    let mut connection = handle.postgres().await.unwrap().acquire().await.unwrap();
    let hangs = async |_: &mut PgConnection| pending::<Result<(), SinkError>>().await;
    let error = attempt(&mut connection, hangs, true, soon()).await.unwrap_err();
    assert_eq!((error.class, error.code.as_str()), (ErrorClass::Transient, "timeout"));

    at_commit(&world, "pg_sleep(600)").await;
    let insert = async |connection: &mut PgConnection| {
        let insert = "INSERT INTO events (event_id, source, kind, action, event_type, name, event_source, time, \
             received_at, host, agent, ip, event, context, sanitised) \
             VALUES (gen_random_uuid(), 's', '', '', '', '', '', now(), now(), '', '', '', '1', '1', false)";
        Ok(sqlx::raw_sql(insert).execute(connection).await?)
    };
    let mut connection = handle.postgres().await.unwrap().acquire().await.unwrap();
    let error =
        attempt(&mut connection, insert, true, Instant::now() + Duration::from_secs(1)).await.unwrap_err();
    assert_eq!((error.class, error.code.as_str()), (ErrorClass::OutcomeUnknown, "timeout"));
}
