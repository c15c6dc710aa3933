//! A copy of the kubeconfig in a place that the caller chose, never over one that is not ours.

use std::fs;
use std::path::{Path, PathBuf};

use crate::environment::users_kubeconfigs;
use crate::error::Error;
use crate::plane::ControlPlane;
use crate::users::{MARK, write_private};

/// A place for a copy of the admin's kubeconfig. The copy is removed when this is dropped; after a SIGKILL it stays, and the
/// next one may replace it.
#[derive(Debug)]
pub struct KubeconfigCopy {
    path: PathBuf,
    written: bool,
}

impl KubeconfigCopy {
    /// Checks that `path` may be written: it is not the user's own configuration, and if it exists, it is an earlier copy.
    ///
    /// # Errors
    /// [`Error::NotOurs`], or when its folder does not exist.
    pub fn at(path: &Path) -> Result<Self, Error> {
        let path = resolved(path)?;
        // By name, before anything is read.
        let own = users_kubeconfigs();
        if own.iter().any(|own| resolved(own).is_ok_and(|own| own == path)) {
            let why = "it is your own kubeconfig (KUBECONFIG or ~/.kube/config)";
            return Err(Error::NotOurs { path, why });
        }
        match fs::read(&path) {
            Ok(text) if !text.starts_with(MARK.as_bytes()) => {
                let why = "it exists and was not written by control-plane";
                Err(Error::NotOurs { path, why })
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::at("reading", &path)(error)),
            _ => Ok(Self { path, written: false }),
        }
    }

    /// Writes the copy and says where it is, with an absolute path.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, plane: &ControlPlane) -> Result<&Path, Error> {
        let source = plane.kubeconfig_path();
        let text = fs::read_to_string(&source).map_err(Error::at("reading", &source))?;
        write_private(&self.path, &text)?;
        self.written = true;
        Ok(&self.path)
    }
}

impl Drop for KubeconfigCopy {
    fn drop(&mut self) {
        if self.written {
            fs::remove_file(&self.path).ok();
        }
    }
}

/// The file itself behind links and relative paths, whether or not it exists; its folder must.
fn resolved(path: &Path) -> Result<PathBuf, Error> {
    if let Ok(path) = path.canonicalize() {
        return Ok(path);
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(Error::at("looking for", folder))?;
    Ok(folder.join(path.file_name().unwrap_or_default()))
}
