//! JSON read without altering it: values stay the sender's bytes.
//!
//! `object` takes an object apart into raw members, `scan` judges what syntax alone does not (depth, number range, text
//! that no database can hold), `value` looks at one raw value, `pointer` names a place for people.

pub mod object;
pub mod pointer;
pub mod scan;
pub mod value;
