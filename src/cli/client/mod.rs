//! Talking to a running server: where it is and what opens it (`server`), HTTP (`http`), the admin API over it
//! (`admin`), its lists (`pages`), its live stream (`notices`), and everything that can go wrong (`error`).
//!
//! A token is sent only to where it belongs: the settings' token to the settings' address, and to an address from the
//! command line only a token that was named beside it.

mod admin;
mod error;
pub(super) mod http;
mod notices;
mod pages;
mod server;

pub(super) use admin::{Admin, Session, header};
pub(super) use error::AskError;
pub(super) use notices::{Notice, Notices};
pub(super) use pages::list;
pub(super) use server::{Asking, reachable, read_secret};
