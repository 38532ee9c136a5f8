//! The records of a file, one by one and in bounded memory, however long the file is.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;

use crate::{
    cli::client::AskError,
    codec::{
        records::{Record, RecordLimits, Records, RecordsError},
        stream::{self, StreamLimits},
    },
};

/// The longest record. It is the person's own file: the limits only keep a mistake from taking all memory.
const RECORD_BYTES_MAX: usize = 64 << 20;
const LIMITS: StreamLimits = StreamLimits { decoded_bytes: u64::MAX, ratio: u64::MAX, block_bytes: 64 << 20 };

/// Opens a file, or standard input for `-`.
pub(super) fn open(path: &Path) -> Result<impl Iterator<Item = Result<Bytes, AskError>> + use<>, AskError> {
    let unreadable = |source| AskError::Input { path: path.to_owned(), source };
    let input: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let plain = stream::open(input, LIMITS).map_err(unreadable)?;
    let records = Records::new(plain, RecordLimits { record_bytes: RECORD_BYTES_MAX });
    let path = path.to_owned();
    Ok(records.zip(1u64..).map(move |(record, number)| match record {
        Ok(Record::Whole(bytes)) => Ok(bytes),
        Ok(Record::Oversized { .. }) => {
            Err(AskError::BadInput(format!("{}: record {number} is longer than 64 MiB", path.display())))
        }
        Err(RecordsError::Broken(_)) => {
            Err(AskError::BadInput(format!("{}: what begins as record {number} is no JSON", path.display())))
        }
        Err(RecordsError::Read(source)) => Err(AskError::Input { path: path.clone(), source }),
    }))
}
