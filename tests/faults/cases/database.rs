//! PostgreSQL itself: gone, changed, or full.

use super::Context;
use crate::{
    report::Finding,
    rig::{Rig, run},
    server::{Stop, give_to_owner},
    storage::Storage,
    volume::{Ballast, path_str},
};

/// The name of the rig's database.
fn database(rig: &Rig) -> String {
    let Storage::Postgres { name, .. } = &rig.trial.storage else { panic!("no PostgreSQL") };
    name.clone()
}

/// Waits until the lane says that it is in this trouble, and that senders are taken all the same.
async fn troubles(rig: &Rig, code: &str, mark: usize) {
    rig.logs(&said(code), mark).await;
    rig.answers(200).await;
}

/// How the log shows an error of the database by its code.
fn said(code: &str) -> String {
    format!("\"code\":\"{code}\"")
}

async fn end(rig: Rig, fired: usize, note: &str) -> Finding {
    rig.answers(100).await;
    assert_eq!(rig.trial.oracle.turned_away_count(), 0, "senders were turned away");
    // No dead letters: the oracle finds every one that it was not told of.
    rig.judge(fired, note).await
}

pub(super) async fn restarts(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::postgres(name, context).await;
    rig.start().await;
    let rounds = context.rounds(2, 6);
    for round in 0..rounds {
        rig.answers(300).await;
        context.server().stop(if round % 2 == 0 { Stop::Fast } else { Stop::Immediate });
        rig.answers(200).await;
        context.server().start_again().await;
    }
    end(rig, rounds, "nobody turned away").await
}

pub(super) async fn kills(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::postgres(name, context).await;
    rig.start().await;
    let rounds = context.rounds(2, 6);
    for _ in 0..rounds {
        rig.answers(300).await;
        context.server().kill();
        rig.answers(200).await;
        context.server().start_again().await;
    }
    end(rig, rounds, "nobody turned away").await
}

/// A change that a person makes, and takes back once the lane has paused for it.
async fn changed(
    name: &'static str,
    context: &Context,
    [code, change, back]: [&str; 3],
    disconnects: bool,
) -> Finding {
    let mut rig = Rig::postgres(name, context).await;
    let (server, name) = (context.server(), database(&rig));
    // A role of its own: the superuser is asked for no password.
    server
        .sql(
            &name,
            &format!("CREATE ROLE {name} LOGIN PASSWORD 'first'; ALTER DATABASE {name} OWNER TO {name}"),
        )
        .await;
    let url = format!("postgres://{name}:first@127.0.0.1:{}/{name}", server.port());
    rig.collector.move_storage(Some(url));
    rig.start().await;
    let rounds = context.rounds(1, 3);
    for _ in 0..rounds {
        rig.answers(200).await;
        rig.delivers().await;
        let mark = rig.collector.log_count(&said(code));
        // Who changes what concerns connections does it from elsewhere.
        let place = if disconnects { "postgres" } else { &name };
        server.sql(place, &change.replace("$NAME", &name)).await;
        if disconnects {
            server.disconnect(&name).await;
        }
        troubles(&rig, code, mark).await;
        server.sql(place, &back.replace("$NAME", &name)).await;
        if disconnects {
            server.disconnect(&name).await;
        }
        rig.delivers().await;
    }
    let finding = end(rig, rounds, &format!("{code}: the lane pauses, no dead letters")).await;
    server.sql("postgres", &format!("DROP ROLE {name}")).await;
    finding
}

pub(super) async fn no_table(name: &'static str, context: &Context) -> Finding {
    let change = ["42P01", "ALTER TABLE events RENAME TO gone", "ALTER TABLE gone RENAME TO events"];
    changed(name, context, change, false).await
}

pub(super) async fn no_column(name: &'static str, context: &Context) -> Finding {
    let change =
        ["42703", "ALTER TABLE events RENAME page TO gone", "ALTER TABLE events RENAME gone TO page"];
    changed(name, context, change, false).await
}

pub(super) async fn other_password(name: &'static str, context: &Context) -> Finding {
    let change = ["28P01", "ALTER ROLE $NAME PASSWORD 'second'", "ALTER ROLE $NAME PASSWORD 'first'"];
    changed(name, context, change, true).await
}

pub(super) async fn read_only(name: &'static str, context: &Context) -> Finding {
    let change = [
        "25006",
        "ALTER DATABASE $NAME SET default_transaction_read_only = on",
        "ALTER DATABASE $NAME RESET default_transaction_read_only",
    ];
    changed(name, context, change, true).await
}

/// A tablespace on a small file system of its own.
pub(super) async fn full(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::postgres(name, context).await;
    let (server, name) = (context.server(), database(&rig));
    let home = tempfile::Builder::new().prefix("tablespace").tempdir_in("/tmp").unwrap();
    let small = Mounted::small(path_str(home.path()));
    give_to_owner(home.path());
    run("chmod", &["700", small.0]);
    server.sql("postgres", &format!("CREATE TABLESPACE {name} LOCATION '{}'", small.0)).await;
    server.sql("postgres", &format!("ALTER DATABASE {name} SET TABLESPACE {name}")).await;
    rig.start().await;
    let rounds = context.rounds(1, 4);
    for _ in 0..rounds {
        rig.answers(200).await;
        rig.delivers().await;
        let mark = rig.collector.log_count(&said("53100"));
        let ballast = Ballast::new(home.path(), 1 << 17);
        troubles(&rig, "53100", mark).await;
        drop(ballast);
        rig.delivers().await;
    }
    let finding = end(rig, rounds, "53100: the lane waits, nobody turned away").await;
    server.sql("postgres", &format!("DROP TABLESPACE {name}")).await;
    finding
}

/// A small file system in memory.
struct Mounted<'a>(&'a str);

impl<'a> Mounted<'a> {
    fn small(path: &'a str) -> Self {
        run("mount", &["-t", "tmpfs", "-o", "size=64m", "tmpfs", path]);
        Self(path)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").args(["--lazy", self.0]).output();
    }
}
