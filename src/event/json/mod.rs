//! JSON read without altering it: values stay the sender's bytes.
//!
//! `object` takes an object apart into raw members and checks its syntax, `elements` does so with an array, `parts` looks
//! into what was checked already, `scan` judges what syntax alone does not (depth, number range, text that no database can
//! hold), `value` looks at one raw value, `writer` puts an object together, `pointer` names a place for people.

pub mod elements;
pub mod object;
pub mod parts;
pub mod pointer;
pub mod scan;
mod string;
pub mod value;
pub mod writer;
