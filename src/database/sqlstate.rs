//! What a SQLSTATE of PostgreSQL means.

use super::Fault;

/// By prefix; the first that fits counts. What is not listed is transient.
const FAULTS: &[(&str, Fault)] = &[
    ("08", Fault::Interrupted),      // connection exception
    ("21000", Fault::BadRow),        // cardinality violation
    ("22", Fault::BadRow),           // data exception: what neither text nor jsonb can hold
    ("23", Fault::BadRow), // integrity constraint violation; a taken id or key is no error to begin with
    ("25006", Fault::Configuration), // read-only transaction: a standby, or a server set to read-only
    ("28", Fault::Configuration), // bad credentials
    ("3D", Fault::Configuration), // no such database
    ("3F", Fault::Configuration), // no such schema
    ("40", Fault::Transient), // deadlock, serialisation failure
    ("42", Fault::Configuration), // no such table or column, no permission
    ("53", Fault::Transient), // disk full, out of memory, too many connections
    ("54", Fault::BadRow), // program limit exceeded: too large for an index, nested too deeply
    ("55", Fault::Transient), // lock not available
    ("57014", Fault::Transient), // cancelled by the statement timeout
    ("57P03", Fault::Transient), // starting up
    ("57", Fault::Interrupted), // shut down by an operator
    ("58", Fault::Interrupted), // system error
    ("XX", Fault::Interrupted), // internal error
];

/// What this SQLSTATE means.
pub(super) fn fault(code: &str) -> Fault {
    let listed = FAULTS.iter().find(|(prefix, _)| code.starts_with(prefix));
    listed.map_or(Fault::Transient, |(_, fault)| *fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_codes_mean_what_they_should() {
        for (fault, codes) in [
            (Fault::BadRow, &["22P05", "22P02", "22021", "23502", "23514", "21000", "54000", "54001"][..]),
            (
                Fault::Configuration,
                &["3D000", "3F000", "42P01", "42703", "42501", "28P01", "28000", "42804", "25006"],
            ),
            (
                Fault::Transient,
                &["40001", "40P01", "53100", "53300", "55P03", "57P03", "57014", "", "00000", "ZZ999"],
            ),
            (Fault::Interrupted, &["08006", "57P01", "57P02", "58030", "XX000"]),
        ] {
            for code in codes {
                assert_eq!(super::fault(code), fault, "{code}");
            }
        }
    }
}
