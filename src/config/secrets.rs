//! The secret settings: the master secrets and the bootstrap key.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::settings;
use super::source::{SettingError, Source, read_secret_file};
use crate::clock::Entropy;
use crate::tokens::{BootstrapKey, MasterSecret, Secret, is_weak};

/// The maximum number of former master secrets. Each costs a forged token one more authentication code.
const MAX_PREVIOUS_SECRETS: usize = 4;

/// Reads the former master secrets, separated by commas or white space.
pub(super) fn previous_secrets(source: &Source) -> Result<Vec<MasterSecret>, SettingError> {
    const NAME: &str = settings::PREVIOUS_SECRETS.name;
    let Some(text) = source.secret(&settings::PREVIOUS_SECRETS)? else { return Ok(Vec::new()) };
    let texts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|text| !text.is_empty());
    let secrets = texts.map(MasterSecret::parse_previous).collect::<Result<Vec<_>, _>>();
    let secrets = secrets.map_err(|error| SettingError::new(NAME, format!("each {error}")))?;
    if secrets.len() > MAX_PREVIOUS_SECRETS {
        return Err(SettingError::new(NAME, format!("must be at most {MAX_PREVIOUS_SECRETS}")));
    }
    Ok(secrets)
}

/// The master secret in the data folder, readable by its owner only. A new one is generated only for a new database: an
/// existing database needs its own.
pub(super) fn kept_secret(data_dir: &Path, is_new: bool, entropy: &dyn Entropy) -> Result<MasterSecret, SettingError> {
    let path = data_dir.join("secret");
    let error =
        |problem: &dyn Display| SettingError::new(settings::DATA_DIR.name, format!("{}: {problem}", path.display()));
    let read = |text: Zeroizing<String>| MasterSecret::parse(&text).map_err(|problem| error(&problem));
    match read_secret_file(&path) {
        Ok(text) => return read(text),
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(error(&problem)),
        Err(_) if is_new => {}
        Err(_) => {
            return Err(error(
                &"the master secret of this database is missing: restore the file, or set SOJOURN_SECRET to its content",
            ));
        }
    }
    make_folder(data_dir)?;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let secret = MasterSecret::generate(entropy).map_err(|problem| error(&problem))?;
            let line = Zeroizing::new(format!("{}\n", *Zeroizing::new(secret.to_base64())));
            file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(|problem| error(&problem))?;
            Ok(secret)
        }
        // Another process created the file first.
        Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => {
            read_secret_file(&path).map_err(|problem| error(&problem)).and_then(read)
        }
        Err(problem) => Err(error(&problem)),
    }
}

/// Reads and checks the bootstrap key and its expiry.
pub fn bootstrap_key(source: &Source) -> Result<Option<BootstrapKey>, SettingError> {
    const NAME: &str = settings::BOOTSTRAP_KEY.name;
    let until = source.find(&settings::BOOTSTRAP_KEY_UNTIL)?;
    let Some(key) = source.secret(&settings::BOOTSTRAP_KEY)? else {
        let problem = "is set, but SOJOURN_BOOTSTRAP_KEY is not";
        return until.map_or(Ok(None), |_| Err(SettingError::new(settings::BOOTSTRAP_KEY_UNTIL.name, problem)));
    };
    if key.len() < 32 || key.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(SettingError::new(NAME, "must have 32 characters or more, all printable ASCII without spaces"));
    }
    if is_weak(key.as_bytes()) {
        return Err(SettingError::new(NAME, "must be random (openssl rand -hex 24 makes one)"));
    }
    Ok(Some(BootstrapKey::new(Secret::new(key.as_str().to_owned()), until)))
}

/// Creates the data folder unless it exists.
pub(super) fn make_folder(data_dir: &Path) -> Result<(), SettingError> {
    let error = |problem| SettingError::new(settings::DATA_DIR.name, format!("{}: {problem}", data_dir.display()));
    std::fs::create_dir_all(data_dir).map_err(error)
}
