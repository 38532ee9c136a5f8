//! Which server, and what opens it: from the command line, the environment, or the settings of the server itself.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{Admin, AskError, Session, http};
use crate::{
    cli::{
        exit::{Exit, chain, fail},
        output::Output,
        settings,
    },
    config::Origin,
    disk::{self, RealDisk},
    secret::Secret,
};

/// The variable that holds a token; not an option, because everybody on a machine can read a command line.
const TOKEN_VARIABLE: &str = "TIDEGATE_TOKEN";

/// A token file holds one line.
const TOKEN_FILE_BYTES_MAX: u64 = 64 << 10;

/// What all commands that ask a server have in common.
#[derive(Args, Clone)]
pub(in crate::cli) struct Asking {
    /// Address of the operate listener; without it, address and token are those of the settings
    #[arg(long, global = true, value_name = "URL", env = "TIDEGATE_URL", help_heading = "Server")]
    url: Option<String>,
    /// File that holds the operator's token; without it, the variable TIDEGATE_TOKEN, else the settings
    #[arg(long, global = true, value_name = "FILE", help_heading = "Server")]
    token_file: Option<PathBuf>,
    /// Print the server's JSON as it is; of lists, one item a line
    #[arg(long, global = true)]
    json: bool,
}

impl Asking {
    /// Runs a command against the server, and ends.
    pub(in crate::cli) fn run(
        &self,
        config: Option<PathBuf>,
        command: impl AsyncFnOnce(&mut Session) -> Result<Exit, AskError>,
    ) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(Exit::Failed, &chain(&error)),
        };
        let ended = runtime.block_on(async {
            let mut session = Session { admin: self.admin(config)?, out: Output::new(self.json) };
            let exit = command(&mut session).await?;
            session.out.flush()?;
            Ok(exit)
        });
        match ended {
            Ok(exit) => exit.into(),
            Err(error) => match AskError::exit(&error) {
                Exit::Done => Exit::Done.into(),
                exit => fail(exit, &error.to_string()),
            },
        }
    }

    fn admin(&self, config: Option<PathBuf>) -> Result<Admin, AskError> {
        let named = self.named_token()?;
        let (address, token) = match (&self.url, named) {
            (Some(url), Some(token)) => (url.clone(), token),
            (Some(_), None) => return Err(AskError::TokenOfElsewhere),
            (None, named) => {
                let (listen, token) = of_settings(&settings::origin(config)?, named)?;
                (format!("http://{}", reachable(listen)), token)
            }
        };
        let Some(uri) = http::address(&address) else { return Err(AskError::Address(address)) };
        let http = http::Http::new(&uri).map_err(AskError::Tls)?;
        Ok(Admin::new(http, &address, token))
    }

    fn named_token(&self) -> Result<Option<Secret>, AskError> {
        match &self.token_file {
            Some(path) => read_secret(path).map(Some),
            None => Ok(std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()).map(Secret::new)),
        }
    }
}

/// Where the server of these settings listens, and its token, which is not read where another was named.
fn of_settings(origin: &Origin, named: Option<Secret>) -> Result<(SocketAddr, Secret), AskError> {
    if let Some(token) = named {
        return Ok((origin.operate_address().map_err(AskError::Settings)?, token));
    }
    let operate = origin.operate().map_err(AskError::Settings)?;
    Ok((operate.listen, operate.token.ok_or(AskError::NoToken)?))
}

/// Reads a file that holds a secret and nothing else but a line break.
pub(in crate::cli) fn read_secret(path: &Path) -> Result<Secret, AskError> {
    let unreadable = |source| AskError::Input { path: path.to_owned(), source };
    let bytes = disk::read(&RealDisk, path, TOKEN_FILE_BYTES_MAX).map_err(unreadable)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(_) => Err(AskError::BadInput(format!("{}: is not text", path.display()))),
    }
}

/// A server that listens everywhere is reached on the loopback interface.
pub(in crate::cli) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}
