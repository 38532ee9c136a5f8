//! Nothing that is asked goes on for ever, and whoever gave up leaves nothing behind.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use super::house::{House, event};
use crate::{
    database::Fault,
    store::{
        TOO_SLOW,
        events::{EventFilter, list},
        page::Size,
        statement::Statement,
        transaction::Transaction,
    },
};

on_both! {
    a_search_that_takes_too_long_is_given_up,
    a_search_that_nobody_waits_for_is_given_up,
}

/// More than the connections of either pool.
const SEARCHES: usize = 8;

/// Finds nothing, for ever.
fn endless(house: &House) -> Statement {
    Statement::new(
        house.database().kind(),
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT 1 - x FROM n) SELECT '' AS id, x AS bytes FROM n WHERE x > 5",
    )
}

async fn a_search_that_takes_too_long_is_given_up(house: &mut House) {
    house.write(&[event(0, 1)], &[]).await;
    for _ in 0..SEARCHES {
        let mut transaction = Transaction::read(&house.database(), Duration::from_millis(20)).await.unwrap();
        let error = transaction.rows::<Size>(&endless(house)).await.err().unwrap();
        assert_eq!((error.fault, error.code.as_str()), (Fault::Transient, TOO_SLOW));
    }
    whole_searches_still_work(house).await;
}

async fn a_search_that_nobody_waits_for_is_given_up(house: &mut House) {
    house.write(&[event(0, 1)], &[]).await;
    for _ in 0..SEARCHES {
        let mut transaction = Transaction::read(&house.database(), Duration::from_millis(50)).await.unwrap();
        let endless = endless(house);
        let mut searching = pin!(transaction.rows::<Size>(&endless));
        poll_fn(|context| {
            assert!(searching.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    whole_searches_still_work(house).await;
}

/// On all connections, also for those who have no deadline: the ones before have gone with their searches.
async fn whole_searches_still_work(house: &House) {
    let long = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000) SELECT count(*) FROM n";
    for _ in 0..SEARCHES {
        let page = list(&house.database(), &EventFilter::default(), None, 10).await.unwrap();
        assert_eq!(page.items.len(), 1);
        assert_eq!(house.number(long).await, 100_000);
    }
}
