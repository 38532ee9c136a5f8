//! However much is asked at once, a lane and the users directory find a connection.

use std::time::Duration;

use sqlx::PgPool;
use tokio::{task::JoinSet, time::timeout};

use super::house::{House, SPOOL, event};
use crate::{
    database::{BUSY, DatabaseError, Fault},
    store::{
        refusals::{RefusalFilter, list},
        retention::{Aim, Prune, Sweep},
        transaction::{SEARCH, Transaction},
        users::UsersDirectory,
    },
};

on_both! {
    who_asks_too_much_waits_and_leaves_connections_to_others,
}

/// More than all connections together.
const SEARCHES: usize = 20;

/// What is written in less than this did not wait for a connection.
const PROMPTLY: Duration = Duration::from_secs(5);

async fn who_asks_too_much_waits_and_leaves_connections_to_others(house: &mut House) {
    house.write(&[event(0, 1)], &[]).await;
    let mut held = Vec::new();
    let refused = loop {
        match Transaction::read(&house.database(), SEARCH).await {
            Ok(transaction) => held.push(transaction),
            Err(refused) => break refused,
        }
    };
    assert_eq!((refused.fault, refused.code.as_str()), (Fault::Transient, BUSY));
    assert!(held.len() > 1, "some may ask at once");
    timeout(PROMPTLY, house.write(&[event(1, 2)], &[])).await.unwrap();
    assert_eq!(timeout(PROMPTLY, house.sink.cursor(SPOOL)).await.unwrap().unwrap(), Some(2));
    assert!(timeout(PROMPTLY, UsersDirectory::new(house.database()).refresh()).await.unwrap().unwrap());
    // What has to be written waits for its turn instead.
    let prune = Prune { before: i64::MAX, user: None, events: true, refusals: false };
    let database = house.database();
    let mut sweep = Sweep::new(prune, Aim::Delete);
    held.pop();
    let pruned = sweep.step(&database, 10).await.unwrap().unwrap();
    assert_eq!(pruned.events, 2);
}

/// Sessions of this database that wait for a lock.
async fn waiting(stranger: &PgPool) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    sqlx::query_scalar(sql).fetch_one(stranger).await.unwrap()
}

fn search(house: &House, searches: &mut JoinSet<Result<usize, DatabaseError>>) {
    for _ in 0..SEARCHES {
        let database = house.database();
        searches.spawn(
            async move { Ok(list(&database, &RefusalFilter::default(), None, 10).await?.items.len()) },
        );
    }
}

#[tokio::test]
async fn an_event_is_stored_promptly_while_many_reads_wait_for_a_locked_table() {
    let mut house = House::postgres().await;
    house.write(&[event(0, 1)], &[]).await;
    let stranger = house.stranger();
    let stranger = stranger.postgres().await.unwrap();
    let mut lock = stranger.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE refusals IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();

    let mut searches = JoinSet::new();
    search(&house, &mut searches);
    while waiting(stranger).await < 4 {}
    timeout(PROMPTLY, house.write(&[event(1, 2)], &[])).await.unwrap();

    // The server goes on with searches that nobody waits for any more: others do not take their places.
    searches.shutdown().await;
    search(&house, &mut searches);
    while let Some(refused) = searches.join_next().await {
        let refused = refused.unwrap().unwrap_err();
        assert_eq!((refused.fault, refused.code.as_str()), (Fault::Transient, BUSY));
    }
    timeout(PROMPTLY, house.write(&[event(2, 3)], &[])).await.unwrap();

    lock.rollback().await.unwrap();
    search(&house, &mut searches);
    while let Some(searched) = searches.join_next().await {
        assert_eq!(searched.unwrap().unwrap(), 0);
    }
}
