//! The records of a part of the spool, with what is wrong told on the way.

use super::{LookError, Part};
use crate::{
    cli::output::{Output, notice},
    operate::record::Decoded,
    spool::inspect::{Finding, FoundRecord, Inspection},
};

/// Goes through the part; `each` gets the file's name, the record, and what it says. Answers whether nothing was
/// wrong on the way.
pub(super) fn each(
    inspection: &mut Inspection,
    out: &mut Output,
    part: &Part,
    mut each: impl FnMut(&mut Output, &str, &FoundRecord, Option<&Decoded>) -> Result<(), LookError>,
) -> Result<bool, LookError> {
    let (mut file_name, mut shown, mut is_sound) = (String::new(), 0, true);
    for finding in inspection {
        match finding? {
            Finding::File(file) => file_name = file.name,
            Finding::Record(record) if record.sequence >= part.from => {
                // What this version cannot read is shown as bytes.
                let decoded = Decoded::read(record.kind, record.payload.clone()).unwrap_or_default();
                each(out, &file_name, &record, decoded.as_ref())?;
                shown += 1;
                if part.limit.is_some_and(|limit| shown >= limit) {
                    break;
                }
            }
            Finding::Record(_) | Finding::Unacknowledged(_) => {}
            Finding::Defect(defect) => {
                is_sound = false;
                notice(&format!("{file_name}: {defect}"));
            }
        }
    }
    Ok(is_sound)
}
