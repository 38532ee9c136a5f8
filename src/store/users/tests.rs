//! The directory and its import, on both databases.

use std::{fmt::Write, io, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{ImportError, ImportSummary, Lookup, RowProblem, UsersDirectory, import};
use crate::database::{Database, DatabaseUrl, testing::TestDatabase};

async fn import_text(database: &Database, text: &str) -> Result<ImportSummary, ImportError> {
    import(database, text.as_bytes(), &mut |_| {}).await
}

fn found(name: &str) -> Lookup {
    Lookup::Found(name.into())
}

/// Runs each check against both databases.
macro_rules! on_both {
    ($($check:ident,)*) => {
        mod sqlite {
            $(#[tokio::test] async fn $check() { super::$check(&super::TestDatabase::sqlite()).await; })*
        }
        mod postgres {
            $(#[tokio::test] async fn $check() { super::$check(&super::TestDatabase::postgres().await).await; })*
        }
    };
}

on_both! {
    an_import_is_idempotent_and_seen_by_a_running_server,
    a_mistake_imports_nothing,
    a_big_file_is_imported_and_loaded_whole,
    an_empty_directory_is_loaded_and_knows_nobody,
    polling_sees_an_import_and_stops,
}

async fn an_import_is_idempotent_and_seen_by_a_running_server(database: &TestDatabase) {
    let directory = UsersDirectory::new(database.handle());
    assert_eq!(directory.username(7), Lookup::NotLoaded);
    assert!(directory.refresh().await.unwrap());

    let other_process = database.stranger();
    let first = "id,username\n7,Ørsted\n-1,\"a, \"\"quoted\"\" name\"\n9223372036854775807,last\n";
    let summary = import_text(&other_process, first).await.unwrap();
    assert_eq!(summary, ImportSummary { added: 3, updated: 0, unchanged: 0 });
    assert!(directory.refresh().await.unwrap());
    assert_eq!(directory.username(7), found("Ørsted"));
    assert_eq!(directory.username(-1), found("a, \"quoted\" name"));
    assert_eq!(directory.username(i64::MAX), found("last"));
    assert_eq!(directory.username(8), Lookup::Unknown);

    let summary = import_text(&other_process, first).await.unwrap();
    assert_eq!(summary, ImportSummary { added: 0, updated: 0, unchanged: 3 });
    assert!(!directory.refresh().await.unwrap());

    let second = "\u{feff}id,username\r\n8,new\r\n\r\n7,Ørsted II\r\n-1,\"a, \"\"quoted\"\" name\"\r\n";
    let summary = import_text(&other_process, second).await.unwrap();
    assert_eq!(summary, ImportSummary { added: 1, updated: 1, unchanged: 1 });
    assert!(directory.refresh().await.unwrap());
    assert_eq!([7, 8].map(|id| directory.username(id)), [found("Ørsted II"), found("new")]);
    assert_eq!(directory.username(i64::MAX), found("last"));
}

async fn a_mistake_imports_nothing(database: &TestDatabase) {
    let handle = database.handle();
    let long = format!("id,username\n1,{}\n", "x".repeat(256));
    for (text, line, wanted) in [
        ("id,username\n1,a\n2\n", 3, RowProblem::Columns),
        ("id,username\r\n1,a\r\n2,b,c\r\n", 3, RowProblem::Columns),
        ("id,username\n\n\r\n\n1,a,b", 5, RowProblem::Columns),
        ("id,username\none,a\n", 2, RowProblem::Id),
        ("id,username\n 1,a\n", 2, RowProblem::Id),
        ("id,username\n007,a\n", 2, RowProblem::Id),
        ("id,username\n+7,a\n", 2, RowProblem::Id),
        ("id,username\n9223372036854775808,a\n", 2, RowProblem::Id),
        ("id,username\n1,a\n2,b\n1,c\n", 4, RowProblem::Twice),
        ("id,username\n1,\n", 2, RowProblem::Username),
        ("id,username\n1, a\n", 2, RowProblem::Username),
        ("id,username\n1,a\rb\n", 2, RowProblem::Username),
        ("id,username\n1,\"a\n2,b\n", 2, RowProblem::Username),
        ("id,username\n1,a\0b\n", 2, RowProblem::Username),
        (&long, 2, RowProblem::Username),
    ] {
        match import_text(&handle, text).await {
            Err(ImportError::Row { line: at, problem }) => {
                assert_eq!((at, problem), (line, wanted), "{text:?}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
    let mut late: Vec<u8> = b"id,username\n".to_vec();
    (0..12_000).for_each(|id| late.extend(format!("{id},user {id}\n").bytes()));
    late.extend(b"12000,\xff\n");
    let error = import(&handle, &*late, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), format!("line 12002: {}", RowProblem::Username));

    for text in ["", "\n", "1,a\n", "id;username\n", "ID,Username\n", "id,username,email\n", "username,id\n"]
    {
        assert!(matches!(import_text(&handle, text).await, Err(ImportError::Header)), "{text:?}");
    }
    let torn = io::Read::chain("id,username\n1,a\n".as_bytes(), Torn);
    assert!(matches!(import(&handle, torn, &mut |_| {}).await, Err(ImportError::Read(_))));

    let directory = UsersDirectory::new(handle.clone());
    directory.refresh().await.unwrap();
    assert_eq!(directory.username(1), Lookup::Unknown);
    let none = import_text(&handle, "id,username\n").await.unwrap();
    assert_eq!(none, ImportSummary::default());
    assert!(!directory.refresh().await.unwrap());
}

/// A file whose disk fails.
struct Torn;

impl io::Read for Torn {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

async fn a_big_file_is_imported_and_loaded_whole(database: &TestDatabase) {
    let mut text = String::from("id,username\n");
    // Descending, and more than a page and a chunk.
    for id in (0..30_000).rev() {
        writeln!(text, "{id},user {id}").unwrap();
    }
    let mut seen = Vec::new();
    let summary = import(&database.handle(), text.as_bytes(), &mut |rows| {
        seen.push(rows);
    })
    .await
    .unwrap();
    assert_eq!(summary, ImportSummary { added: 30_000, updated: 0, unchanged: 0 });
    assert!(seen.is_sorted() && seen.last() == Some(&30_000) && seen.len() > 1);

    let directory = UsersDirectory::new(database.handle());
    directory.refresh().await.unwrap();
    for id in 0..30_000 {
        assert_eq!(directory.username(id), found(&format!("user {id}")));
    }
    assert_eq!([-1, 30_000].map(|id| directory.username(id)), [Lookup::Unknown, Lookup::Unknown]);
}

async fn an_empty_directory_is_loaded_and_knows_nobody(database: &TestDatabase) {
    let directory = UsersDirectory::new(database.handle());
    assert!(!directory.is_loaded());
    directory.refresh().await.unwrap();
    assert!(directory.is_loaded());
    assert_eq!(directory.username(1), Lookup::Unknown);
}

async fn polling_sees_an_import_and_stops(database: &TestDatabase) {
    let directory = Arc::new(UsersDirectory::new(database.handle()));
    let stop = CancellationToken::new();
    let polling = tokio::spawn(directory.clone().poll(Duration::from_millis(1), stop.clone()));
    import_text(&database.stranger(), "id,username\n1,a\n").await.unwrap();
    while directory.username(1) != found("a") {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    polling.await.unwrap();
}

#[tokio::test]
async fn a_directory_without_its_database_says_so_and_is_not_loaded() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let url = DatabaseUrl::sqlite(directory.path().join("file/events.db"));
    let users = UsersDirectory::new(Database::new(&url));
    assert!(users.refresh().await.is_err());
    assert_eq!(users.username(1), Lookup::NotLoaded);
}
