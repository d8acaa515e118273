//! Reading the configuration again without losing a request: everything is built beside what serves, then swapped.

use std::sync::Arc;

use overfall_config::LoadError;

use crate::{admin, error::StartError, fleet::Fleet};

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// This process was not started from a file.
    #[error("this process was not started from a configuration file")]
    NoFile,
    /// The file can't be read or is invalid.
    #[error("{0}")]
    Config(#[from] LoadError),
    /// The file is valid, but what it names can't be set up.
    #[error("{0}")]
    Start(#[from] StartError),
}

/// Loads the file and applies it. Gives the sections that only a restart would change.
///
/// # Errors
/// [`ReloadError`]; everything then stays as it was.
pub async fn reload(fleet: &Arc<Fleet>) -> Result<Vec<&'static str>, ReloadError> {
    let file = fleet.config_file.as_ref().ok_or(ReloadError::NoFile)?;
    let mut config = overfall_config::load(file)?;
    admin::ensure_token(&mut config)
        .map_err(|source| StartError::Io { what: "admin token".to_owned(), source })?;
    Ok(fleet.reload(config).await?)
}
