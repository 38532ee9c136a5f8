//! What an operator can ask of a running server, whoever carries the question.

pub mod audit;
pub mod dead_letters;
pub mod explain;
pub mod health;
pub mod lanes;
pub mod pace;
pub mod receipts;
pub mod record;
pub mod refusals;
pub mod reload;
pub mod replay;
pub mod retention;
pub mod status;
pub mod tail;
