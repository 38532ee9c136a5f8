//! Reading back what was written, and the users directory.

pub mod users;
