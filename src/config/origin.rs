//! Where settings come from: a file, the environment, or the embedded default.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    Config, Operate, data_dir, embedded,
    mistake::{Mistake, Mistakes},
    operate_listen, parse, read_operate,
    reading::Reading,
    secrets::{self, Credentials},
    section::Section,
};
use crate::{
    clock::UnixMicros,
    disk::{self, RealDisk},
};

/// A settings file is text that people write; a larger one is something else.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Where a settings file is looked for when none is named.
const DEFAULT_FILE: &str = "tidegate.toml";

/// Where settings come from.
#[derive(Clone)]
pub struct Origin {
    /// The file; `None` for the embedded default.
    pub file: Option<PathBuf>,
    /// The environment; it may hold secrets, so this type does not print.
    pub environment: BTreeMap<String, String>,
}

impl Origin {
    /// The named file, else `tidegate.toml` in the working directory if there is one, else the embedded default.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let present = || Path::new(DEFAULT_FILE).exists().then(|| PathBuf::from(DEFAULT_FILE));
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file: file.or_else(present), environment }
    }

    /// Reads and checks the settings. The embedded default makes its secrets on the way, once.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(&self, now: UnixMicros) -> Result<Config, Mistakes> {
        if self.file.is_none() {
            embedded::ensure_secrets(&self.environment)?;
        }
        let (origin, text) = self.text()?;
        let mut config = parse(&origin, &text, &self.environment, now)?;
        config.operate.recall_token(&config.data_dir);
        Ok(config)
    }

    /// The address of the operate listener. Only this is read, so that nothing else can be wrong with it, and nothing is
    /// made.
    ///
    /// # Errors
    /// When the address is wrong, or the settings are no TOML or cannot be read at all.
    pub fn operate_address(&self) -> Result<SocketAddr, Mistakes> {
        self.part(|root| operate_listen(&root.section("operate")))
    }

    /// The operate listener and what opens it. Only `operate` and `data_dir` are read: whoever asks a running server
    /// may have fewer rights than it, and the settings may have been broken since it started. Nothing is made.
    ///
    /// # Errors
    /// When these are wrong, or the settings are no TOML or cannot be read at all.
    pub fn operate(&self) -> Result<Operate, Mistakes> {
        self.part(|root| {
            let mut operate = read_operate(root.section("operate"));
            operate.recall_token(&data_dir(root));
            operate
        })
    }

    /// What a sender needs to be let in to a source: the first secret that still opens it. `None` where no source has
    /// this name, or none of its secrets opens it.
    ///
    /// # Errors
    /// When the settings cannot be read at all.
    pub fn credentials(&self, source: &str, now: UnixMicros) -> Result<Option<Credentials>, Mistakes> {
        let (origin, text) = self.text()?;
        let reading = Reading::new(&origin, &text, self.environment.clone());
        let Ok(table) = DeTable::parse(&text) else { return Ok(None) };
        Ok(secrets::credentials(&Section::root(&reading, table.get_ref()), source, now))
    }

    /// Reads a part of the settings, with the mistakes that are in this part.
    fn part<T>(&self, read: impl FnOnce(&Section<'_, '_>) -> T) -> Result<T, Mistakes> {
        let (origin, text) = self.text()?;
        let reading = Reading::new(&origin, &text, self.environment.clone());
        let part = match DeTable::parse(&text) {
            Ok(table) => Some(read(&Section::root(&reading, table.get_ref()))),
            Err(error) => {
                reading.broken(&error);
                None
            }
        };
        reading.finish_part(part)
    }

    /// The settings' text, and what mistakes in it are told of.
    fn text(&self) -> Result<(String, String), Mistakes> {
        let Some(path) = &self.file else {
            return Ok((embedded::ORIGIN.into(), embedded::settings(&self.environment)));
        };
        let origin = path.display().to_string();
        let unreadable = |message: String| {
            Mistakes(vec![Mistake { origin: origin.clone(), line: None, key: String::new(), message }])
        };
        let bytes = disk::read(&RealDisk, path, FILE_BYTES_MAX)
            .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable("is not text".into()))?;
        Ok((origin, text))
    }
}
