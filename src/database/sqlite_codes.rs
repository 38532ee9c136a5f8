//! What a result code of SQLite means.

use super::Fault;

/// By primary result code. What is not listed is transient.
const FAULTS: &[(i32, &str, Fault)] = &[
    (3, "SQLITE_PERM", Fault::Configuration),
    (5, "SQLITE_BUSY", Fault::Transient),
    (6, "SQLITE_LOCKED", Fault::Transient),
    (7, "SQLITE_NOMEM", Fault::Transient),
    (8, "SQLITE_READONLY", Fault::Configuration),
    (9, "SQLITE_INTERRUPT", Fault::Transient),
    // While committing, a failed write may have reached the log all the same.
    (10, "SQLITE_IOERR", Fault::Interrupted),
    (11, "SQLITE_CORRUPT", Fault::Configuration),
    (13, "SQLITE_FULL", Fault::Transient),
    (14, "SQLITE_CANTOPEN", Fault::Configuration),
    (15, "SQLITE_PROTOCOL", Fault::Transient),
    (17, "SQLITE_SCHEMA", Fault::Configuration),
    (18, "SQLITE_TOOBIG", Fault::BadRow),
    // A taken id or key is no error to begin with; what is left are checks.
    (19, "SQLITE_CONSTRAINT", Fault::BadRow),
    (20, "SQLITE_MISMATCH", Fault::BadRow),
    (23, "SQLITE_AUTH", Fault::Configuration),
    (26, "SQLITE_NOTADB", Fault::Configuration),
];

/// SQLite has one code for every mistake in a statement; these words tell a table that is not ours from the rest.
const MISSING: &[&str] = &["no such table", "no such column", "has no column named"];

/// What this extended result code means, and its name.
pub(super) fn fault(extended: &str, message: &str) -> (Fault, String) {
    let primary = extended.parse::<i32>().map_or(0, |code| code & 0xff);
    if let Some((_, name, fault)) = FAULTS.iter().find(|(code, _, _)| *code == primary) {
        return (*fault, (*name).to_owned());
    }
    let missing = primary == 1 && MISSING.iter().any(|words| message.contains(words));
    let fault = if missing { Fault::Configuration } else { Fault::Transient };
    (fault, format!("SQLITE_{extended}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_codes_fall_back_to_their_primary_code() {
        assert_eq!(fault("275", "CHECK constraint failed"), (Fault::BadRow, "SQLITE_CONSTRAINT".into()));
        assert_eq!(fault("1555", ""), (Fault::BadRow, "SQLITE_CONSTRAINT".into()));
        assert_eq!(fault("517", ""), (Fault::Transient, "SQLITE_BUSY".into()));
        assert_eq!(fault("1034", ""), (Fault::Interrupted, "SQLITE_IOERR".into()));
        assert_eq!(fault("1032", ""), (Fault::Configuration, "SQLITE_READONLY".into()));
    }

    #[test]
    fn a_missing_table_is_for_a_person_and_the_unknown_passes() {
        assert_eq!(fault("1", "no such table: events").0, Fault::Configuration);
        assert_eq!(fault("1", "table events has no column named ip").0, Fault::Configuration);
        assert_eq!(fault("1", "near \"x\": syntax error").0, Fault::Transient);
        assert_eq!(fault("255", "").0, Fault::Transient);
        assert_eq!(fault("", "").0, Fault::Transient);
    }
}
