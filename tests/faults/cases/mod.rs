//! The faults, and what each needs of the machine.

mod clock;
mod damage;
mod database;
mod disk;
mod network;
mod poison;
mod power;
mod process;
mod system_calls;

use std::{fs, path::PathBuf, pin::Pin, process::Command, sync::Arc};

use crate::{report::Finding, server::Server, volume::Volume};

/// What all cases are given.
pub(crate) struct Context {
    /// Fewer rounds of everything.
    pub(crate) is_short: bool,
    /// The program under test.
    pub(crate) program: PathBuf,
    pub(crate) server: Option<Server>,
}

impl Context {
    /// The server, of a case that needs it.
    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// How many rounds to do.
    pub(crate) fn rounds(&self, short: usize, long: usize) -> usize {
        if self.is_short { short } else { long }
    }
}

/// What not every machine has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Mounts,
    Postgres,
    Strace,
    Faketime,
    /// More time than the short form has.
    Time,
}

type Run = Pin<Box<dyn Future<Output = Finding> + Send>>;

/// A fault.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    needs: &'static [Need],
    pub(crate) run: fn(Arc<Context>) -> Run,
    /// It weakens the product, and is to lose something.
    pub(crate) is_control: bool,
}

/// A case of this name that needs these things.
macro_rules! case {
    ($name:literal, [$($need:ident),*], $run:expr) => {
        Case { name: $name, needs: &[$(Need::$need),*], run: |context| Box::pin(async move { $run($name, &context).await }), is_control: false }
    };
}

/// Everything that fails.
pub(crate) const CASES: &[Case] = &[
    case!("kill -9 under load", [], process::kills),
    case!("kill -9 at a system call of the spool", [Strace], system_calls::kills),
    case!("SIGTERM under load", [], process::terminations),
    case!("SIGSTOP, SIGCONT", [], process::freezes),
    case!("a second server on the data directory", [], process::two_servers),
    case!("power cut", [Mounts], power::cuts),
    Case {
        is_control: true,
        ..case!("power cut without fsync (control: must lose)", [Mounts], power::control)
    },
    case!("EIO in the spool's writer", [Strace], system_calls::broken_disk),
    case!("ENOSPC in the spool's writer", [Strace], system_calls::no_space),
    case!("EINTR in the spool's writer", [Strace], system_calls::interruptions),
    case!("fsync takes 200 ms", [Strace], system_calls::slow_disk),
    case!("EIO in SQLite", [Strace], system_calls::broken_database),
    case!("disk full and space back", [Mounts, Strace], disk::full),
    case!("file system turns read-only", [Mounts], disk::read_only),
    case!("clock steps", [Faketime], clock::steps),
    case!("bit flips in a spool file", [], damage::flips),
    case!("truncation of a spool file", [], damage::cuts),
    case!("PostgreSQL out of reach", [Postgres], network::down),
    case!("PostgreSQL slow", [Postgres], network::slow),
    case!("PostgreSQL silent", [Postgres], network::silent),
    case!("PostgreSQL's connections half open", [Postgres, Time], network::half_open),
    case!("reset before COMMIT", [Postgres], network::before_commit),
    case!("reset inside COMMIT", [Postgres], network::inside_commit),
    case!("reset after COMMIT, answer lost", [Postgres], network::after_commit),
    case!("PostgreSQL restarted", [Postgres], database::restarts),
    case!("PostgreSQL killed with -9", [Postgres], database::kills),
    case!("table missing", [Postgres], database::no_table),
    case!("column missing", [Postgres], database::no_column),
    case!("password changed", [Postgres], database::other_password),
    case!("database read-only", [Postgres], database::read_only),
    case!("PostgreSQL's disk full", [Postgres, Mounts], database::full),
    case!("poison rows", [Postgres], poison::rows),
];

impl Case {
    /// What is missing for it.
    pub(crate) fn lacks(&self, context: &Context) -> Option<&'static str> {
        self.needs.iter().find_map(|need| need.lacks(context))
    }
}

impl Need {
    fn lacks(self, context: &Context) -> Option<&'static str> {
        let (has, what) = match self {
            Self::Mounts => (Volume::try_new(8).is_some(), "loop mounts (root)"),
            Self::Postgres => (context.server.is_some(), "PostgreSQL"),
            Self::Strace => (has_strace(), "strace"),
            Self::Faketime => (faketime().is_some(), "libfaketime"),
            Self::Time => (!context.is_short, "more time than the short form has"),
        };
        (!has).then_some(what)
    }
}

fn has_strace() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    traced.is_ok_and(|output| output.status.success())
}

/// The library that lies about the time.
fn faketime() -> Option<PathBuf> {
    let libraries = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut found = libraries.map(|directory| directory.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|library| library.exists())
}
