//! File handles: connections share them with the spool and the database, which must never lack one.
//!
//! Without a handle the spool cannot begin a new file, and every sender is turned away; so the crowd at the door may not
//! have them all.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for everything but connections: the spool's files, the database, dead letters, settings that are read again.
const RESERVED: usize = 64;

/// The most connections of each listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connections {
    pub(super) collect: usize,
    pub(super) operate: usize,
}

/// Raises the limit of the process as far as is needed and allowed, and divides what there is. Both listeners have what
/// the settings say, unless there is less.
pub(super) fn connections(wanted: usize) -> Connections {
    let handles = raised(RESERVED.saturating_add(wanted.saturating_mul(2)));
    let connections = divided(handles, wanted);
    if connections.collect < wanted {
        tracing::warn!(
            handles,
            collect = connections.collect,
            operate = connections.operate,
            "fewer connections than collect.connections: the process may not open enough files"
        );
    }
    connections
}

/// Raises the limit if it is below `needed`, and tells how many handles there are.
fn raised(needed: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let needed = needed as u64;
    let raised = limit.maximum.map_or(needed, |maximum| needed.min(maximum));
    let handles = if current < raised {
        let wanted = Rlimit { current: Some(raised), maximum: limit.maximum };
        setrlimit(Resource::Nofile, wanted).map_or(current, |()| raised)
    } else {
        current
    };
    usize::try_from(handles).unwrap_or(usize::MAX)
}

/// A quarter of what is too little for both goes to operators: few, and the last who should be kept out.
fn divided(handles: usize, wanted: usize) -> Connections {
    let free = handles.saturating_sub(RESERVED);
    if free / 2 >= wanted {
        return Connections { collect: wanted, operate: wanted };
    }
    let operate = (free / 4).clamp(1, wanted);
    Connections { collect: (free - operate.min(free)).clamp(1, wanted), operate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_kept_for_the_spool_and_shared_by_the_listeners() {
        for (handles, wanted, collect, operate) in [
            (1 << 20, 1024, 1024, 1024),
            (64 + 2048, 1024, 1024, 1024),
            (64 + 2047, 1024, 1024, 511),
            (1024, 1024, 720, 240),
            (160, 1024, 72, 24),
            (64, 1024, 1, 1),
            (0, 1, 1, 1),
        ] {
            assert_eq!(divided(handles, wanted), Connections { collect, operate }, "{handles}");
        }
    }

    #[test]
    fn the_limit_is_raised_and_never_lowered() {
        let before = raised(0);
        assert!(raised(before) >= before);
        assert_eq!(raised(0), raised(1));
    }
}
