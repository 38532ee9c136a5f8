//! What every sink must do, as one list of checks that the reference, SQLite and a real PostgreSQL run alike.
//!
//! `checks` are the promises one by one, `databases` those that only a database can break, `interleavings` compares whole histories with the reference, `house` is a
//! sink with what it stored laid open, and `samples` makes rows.

mod checks;
mod databases;
mod house;
mod interleavings;
mod samples;

/// Runs a list of checks in each of these houses, every check in a new one.
macro_rules! run {
    ($($house:ident)+: $checks:tt) => {
        $(run!(@$house $checks);)+
    };
    (@$house:ident { $($module:ident::$check:ident,)* }) => {
        mod $house {
            use super::super::house::House;
            $(#[tokio::test] async fn $check() { super::super::$module::$check(&House::$house().await).await; })*
        }
    };
}

mod every_sink {
    run! { memory sqlite postgres: {
        checks::a_lane_begins_without_a_cursor,
        checks::an_empty_batch_moves_the_cursor,
        checks::a_cursor_that_moved_stores_nothing,
        checks::a_redelivered_batch_is_all_duplicates,
        checks::the_first_of_a_key_wins,
        checks::other_content_under_a_key_is_kept_as_a_refusal,
        checks::a_conflict_reopens_the_refusal_that_was_called_replayed,
        checks::keys_belong_to_their_source_and_null_is_no_key,
        checks::refusals_are_stored_once,
        checks::a_poison_row_rolls_everything_back,
        checks::every_column_is_read_back_exactly,
        checks::a_big_batch_is_stored_whole,
        checks::lanes_that_share_tables_do_not_disturb_each_other,
        checks::a_canary_leaves_nothing,
        interleavings::any_history_ends_as_with_the_reference,
    } }
}

mod sql_sinks {
    run! { sqlite postgres: {
        databases::a_missing_table_is_for_a_person_to_mend,
        databases::a_row_that_a_strange_constraint_holds_back_is_poison,
        databases::a_discarded_refusal_stays_so,
        databases::a_write_that_was_abandoned_is_whole_or_nothing,
    } }
}
