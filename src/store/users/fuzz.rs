//! What must hold of any file that is given as the users.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a check speaks by panicking")]

use std::collections::HashSet;

use super::import::{ImportError, Rows, USERNAME_CHARS_MAX};

/// Every name that is taken is one that people can see and type, no id comes twice, and what was taken is taken again
/// when it is written down; a mistake names a line that the file has.
pub(crate) fn users(data: &[u8]) {
    match rows(data) {
        Ok(users) => {
            let mut ids = HashSet::new();
            let mut written = csv::Writer::from_writer(Vec::new());
            written.write_record(["id", "username"]).unwrap();
            for (id, name) in &users {
                assert!(ids.insert(*id));
                assert!(!name.is_empty() && name.chars().count() <= USERNAME_CHARS_MAX);
                assert!(!name.contains(char::is_control) && name.trim() == name);
                written.write_record([id.to_string().as_str(), name.as_str()]).unwrap();
            }
            assert_eq!(rows(&written.into_inner().unwrap()).unwrap(), users);
        }
        Err(ImportError::Row { line, .. }) => {
            let lines = data.split(|byte| *byte == b'\n').count();
            assert!((2..=lines as u64).contains(&line), "line {line} of {lines}");
        }
        Err(ImportError::Header) => {}
        Err(error @ (ImportError::Read(_) | ImportError::Database(_))) => panic!("{error}"),
    }
}

fn rows(data: &[u8]) -> Result<Vec<(i64, String)>, ImportError> {
    let mut rows = Rows::new(data)?;
    let mut users = Vec::new();
    loop {
        let chunk = rows.next_chunk()?;
        if chunk.is_empty() {
            return Ok(users);
        }
        users.extend(chunk);
    }
}
