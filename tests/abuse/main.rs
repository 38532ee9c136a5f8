//! Abuse: everything that a hostile client can do to the real binary, while well-behaved senders go on.
//!
//! [`stage`] starts a server and senders whose every answer must be 200, runs one case after another beside them, and
//! notes what the abuser was answered, how much memory the server took, and how long the senders waited. The other files
//! are the cases. A case that was answered in another way than it must be, that never happened, or that cost one sender
//! one event, fails. `scripts/abuse` runs it for longer and writes the table into docs/GUARANTEES.md.
//!
//! [`timing`] is about another kind of abuse: it asks whether the key check tells by its duration how nearly a key fits.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and what fails is shown"
)]

#[path = "../integration/client.rs"]
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
mod client;
#[path = "../integration/server.rs"]
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
mod server;

mod bodies;
mod bombs;
mod connections;
mod doors;
mod few_handles;
mod heads;
mod senders;
mod stage;
mod texts;
mod timing;

use stage::Stage;

/// All cases beside one load. They share a server, because that is what abuse does.
#[test]
fn senders_are_served_whatever_others_do() {
    let site = stage::site();
    let mut stage = Stage::start(&site);
    connections::cases(&mut stage);
    heads::cases(&mut stage);
    doors::cases(&mut stage);
    bombs::cases(&mut stage);
    bodies::cases(&mut stage);
    texts::cases(&mut stage);
    stage.end();
}
