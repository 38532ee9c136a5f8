//! The fault ring: the real binary under load while something around it fails; afterwards every event that was answered
//! as committed must be stored once and unaltered, or be among the dead letters.
//!
//! | module | what it is |
//! |---|---|
//! | `client`, `load`, `oracle`, `payload`, `storage`, `collector`, `trial` | the crash proof's (`tests/crash`) |
//! | `rig` | a trial, a collector and its load, held together while a fault is played |
//! | `injection` | system calls of one thread that fail (strace) |
//! | `volume` | a file system of its own, which can be cut off, filled up and broken |
//! | `server` | a PostgreSQL server of its own |
//! | `proxy` | the network between a collector and PostgreSQL |
//! | `cases` | the faults |
//! | `report` | what became of each |
//!
//! A fault must be seen to have happened, by something other than its consequences in the product; a run in which it did
//! not is invalid, which is as bad as failed. What cannot be had on this machine is reported as not run.
//!
//! Arguments: `--short`, `--list`, `--report FILE` (a table), `--json FILE` (a line for each fault), and words: only the
//! faults whose names hold one of them. `TIDEGATE_FAULTS_BINARY` names the program to test, built without the feature
//! `fault-injection`; the one with the feature serves for the control alone. `scripts/faults` does all this.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may, also in its helpers"
)]

mod cases;
#[path = "../crash/client.rs"]
mod client;
#[path = "../crash/collector.rs"]
mod collector;
mod injection;
#[path = "../crash/load.rs"]
mod load;
#[path = "../crash/oracle.rs"]
#[expect(dead_code, reason = "its tests belong to the crash proof")]
mod oracle;
#[path = "../crash/payload.rs"]
mod payload;
mod proxy;
mod report;
mod rig;
mod server;
#[path = "../crash/storage.rs"]
#[expect(dead_code, reason = "shared with the crash proof, which uses all of it")]
mod storage;
#[path = "../crash/trial.rs"]
#[expect(dead_code, reason = "shared with the crash proof, which uses all of it")]
mod trial;
mod volume;

use std::{env, fs, process::ExitCode, sync::Arc, time::Instant};

use cases::{CASES, Case, Context};
use report::{Outcome, Report};
use server::Server;

/// Names the program that is tested.
const BINARY: &str = "TIDEGATE_FAULTS_BINARY";

/// What the command line asks for.
#[derive(Default)]
struct Request {
    is_short: bool,
    lists: bool,
    table: Option<String>,
    json: Option<String>,
    words: Vec<String>,
}

impl Request {
    fn of_arguments() -> Self {
        let mut request = Self::default();
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--short" => request.is_short = true,
                "--list" => request.lists = true,
                "--report" => request.table = arguments.next(),
                "--json" => request.json = arguments.next(),
                word => request.words.push(word.to_owned()),
            }
        }
        request
    }

    fn wants(&self, case: &Case) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| case.name.contains(word.as_str()))
    }
}

fn main() -> ExitCode {
    let request = Request::of_arguments();
    let wanted: Vec<&Case> = CASES.iter().filter(|case| request.wants(case)).collect();
    if request.lists {
        for case in wanted {
            println!("{}", case.name);
        }
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let report = runtime.block_on(run(&wanted, request.is_short));
    print!("\n{}", report.table());
    for (file, text) in [(request.table, report.table()), (request.json, report.json())] {
        if let Some(file) = file {
            fs::write(file, text).unwrap();
        }
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(wanted: &[&Case], is_short: bool) -> Report {
    let program = env::var_os(BINARY).unwrap_or_else(|| panic!("{BINARY} is not set: run scripts/faults"));
    let context = Arc::new(Context { is_short, program: program.into(), server: Server::start().await });
    let mut report = Report::default();
    for case in wanted {
        let started = Instant::now();
        let outcome = match case.lacks(&context) {
            Some(lack) => Outcome::NotRun(lack),
            None => judged(case, tokio::spawn((case.run)(Arc::clone(&context))).await),
        };
        trial::say(&format!("{} ({:.0?})", outcome.line(case.name), started.elapsed()));
        report.add(case.name, outcome);
    }
    report
}

/// What came of a case that was run to its end, or broke.
fn judged(case: &Case, ended: Result<report::Finding, tokio::task::JoinError>) -> Outcome {
    match ended {
        Ok(finding) if case.is_control => Outcome::of_control(finding),
        Ok(finding) => Outcome::of(finding),
        Err(error) => Outcome::Broken(report::words(error)),
    }
}
