//! What is read back, marked and deleted, on both databases.

/// Runs each check against both databases, every check in a new one.
macro_rules! on_both {
    ($($check:ident,)*) => {
        mod sqlite {
            use crate::store::tests::house::House;
            $(#[tokio::test] async fn $check() { super::$check(&mut House::sqlite()).await; })*
        }
        mod postgres {
            use crate::store::tests::house::House;
            $(#[tokio::test] async fn $check() { super::$check(&mut House::postgres().await).await; })*
        }
    };
}

mod admission;
mod deadlines;
mod events;
mod house;
mod paging;
mod refusals;
mod retention;
mod totals;
