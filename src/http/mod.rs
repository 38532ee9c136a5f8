//! Speaks HTTP, and nothing else: what is decided below is put into words here.
//!
//! `router` is the table of contents; `server` accepts connections and bounds them, `body` reads bodies within limits, `decode` undoes their encoding,
//! `collect` takes deliveries (`firehose` those
//! that are too large to hold, through `feed`), `answer` is the only file that knows statuses, `operations` serves probes and metrics,
//! `page` the files that an operator's browser asks for.

pub mod admin;
pub mod answer;
pub mod body;
pub mod collect;
pub mod decode;
mod feed;
mod firehose;
pub mod operations;
pub mod page;
pub mod router;
pub mod server;
