//! `tidegate healthcheck`: asks the operate listener of the configured server whether it is ready.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use super::{
    client::reachable,
    exit::{Exit, fail, say},
};
use crate::config::Origin;

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn healthcheck(config: Option<PathBuf>) -> ExitCode {
    let address = match Origin::of_process(config).operate_address() {
        Ok(address) => address,
        Err(mistakes) => return fail(Exit::Settings, &format!("the settings cannot be used\n{mistakes}")),
    };
    match ready(reachable(address)) {
        Ok(true) => {
            say("ready\n");
            Exit::Done.into()
        }
        Ok(false) => fail(Exit::Failed, "not ready"),
        Err(error) => fail(Exit::Failed, &format!("no answer from {address}: {error}")),
    }
}

fn ready(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(&status == b"HTTP/1.1 200")
}
