//! The few settings taken from the environment, read here and nowhere else.
#![allow(clippy::disallowed_methods, reason = "the one place of this crate that reads the environment")]

use std::env;
use std::path::PathBuf;

/// The folder for caches of this user: `$XDG_CACHE_HOME`, or `~/.cache`.
pub(crate) fn cache_home() -> Option<PathBuf> {
    // The XDG base directory specification: a relative path in the variable is to be ignored.
    folder("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| Some(folder("HOME")?.join(".cache")))
}

/// The folder with ready binaries, as `setup-envtest use -p path` prints it.
pub(crate) fn kubebuilder_assets() -> Option<PathBuf> {
    folder("KUBEBUILDER_ASSETS")
}

/// Every file that kubectl would take for the user's own configuration.
pub(crate) fn users_kubeconfigs() -> Vec<PathBuf> {
    let named = env::var_os("KUBECONFIG").map(|list| env::split_paths(&list).collect::<Vec<_>>()).unwrap_or_default();
    named
        .into_iter()
        .chain(folder("HOME").map(|home| home.join(".kube/config")))
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

/// The search path, for children that get nothing else of the environment.
pub(crate) fn search_path() -> std::ffi::OsString {
    env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

fn folder(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
