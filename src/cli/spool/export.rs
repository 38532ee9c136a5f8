//! `tidegate spool export`: the records as JSON, one a line, as the admin API shows them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;

use super::{LookError, Part, records::each};
use crate::{
    cli::{exit::Exit, output::Output},
    operate::record::{Decoded, ShownRecord},
    spool::inspect::Inspection,
};

/// A line.
#[derive(Serialize)]
struct Exported {
    record: &'static str,
    sequence: u64,
    #[serde(flatten)]
    shown: Shown,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Known(ShownRecord),
    /// Of a later version, or a program's mistake.
    Unknown {
        kind: u8,
        payload_base64: String,
    },
}

pub(super) fn run(inspection: &mut Inspection, out: &mut Output, part: &Part) -> Result<Exit, LookError> {
    let is_sound = each(inspection, out, part, |out, _, found, decoded| {
        let (record, shown) = match decoded {
            Some(decoded @ Decoded::Event(_)) => ("event", Shown::Known(decoded.shown())),
            Some(decoded @ Decoded::Refusal(_)) => ("refusal", Shown::Known(decoded.shown())),
            None => {
                let payload_base64 = BASE64_STANDARD.encode(&found.payload);
                ("unknown", Shown::Unknown { kind: found.kind, payload_base64 })
            }
        };
        let line = serde_json::to_string(&Exported { record, sequence: found.sequence, shown });
        Ok(out.json(&line.map_err(std::io::Error::from)?)?)
    })?;
    Ok(if is_sound { Exit::Done } else { Exit::Failed })
}
