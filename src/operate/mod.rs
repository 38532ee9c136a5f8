//! What an operator can ask of a running server, whoever carries the question.

pub mod health;
