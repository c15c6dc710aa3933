//! Who may ask the API server: tokens for named users, and their kubeconfig files.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::error::Error;

/// The name of the user that may do everything.
pub(crate) const ADMIN: &str = "admin";
/// Its own name, so that the audit log tells it from the rest. Without `--use-service-account-credentials` all controllers ask
/// under it, and it needs the rights of all of them.
pub(crate) const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";

/// The group that RBAC lets do everything.
const MASTERS: &str = "system:masters";

/// The users that the API server knows from its token file.
#[derive(Debug)]
pub(crate) struct Users(Vec<User>);

#[derive(Debug)]
struct User {
    name: String,
    groups: Vec<String>,
    token: String,
}

impl Users {
    /// The admin and the controller manager, and `named` ones with their groups.
    pub(crate) fn new(named: &[(String, Vec<String>)]) -> Result<Self, Error> {
        let masters = || vec![MASTERS.to_owned()];
        let own = [(ADMIN.to_owned(), masters()), (CONTROLLER_MANAGER.to_owned(), masters())];
        let mut users: Vec<User> = Vec::new();
        for (name, groups) in own.into_iter().chain(named.iter().cloned()) {
            let known = users.iter().any(|user| user.name == name);
            let names = std::iter::once(&name).chain(&groups);
            if let Some(bad) = names.into_iter().find(|name| known || !is_usable(name)) {
                return Err(Error::UnusableName(bad.clone()));
            }
            users.push(User { name, groups, token: uuid::Uuid::new_v4().simple().to_string() });
        }
        Ok(Self(users))
    }

    /// The text for `--token-auth-file`: token, name, uid, "groups".
    pub(crate) fn token_file(&self) -> String {
        let mut text = String::new();
        for User { name, groups, token } in &self.0 {
            let groups = groups.join(",");
            text.extend([token, ",", name, ",", name, ",\"", &groups, "\"\n"]);
        }
        text
    }

    /// Writes a kubeconfig for each user into `folder`.
    pub(crate) fn write_kubeconfigs(&self, folder: &Path, url: &str, authority: &str) -> Result<(), Error> {
        for user in &self.0 {
            let path = self.kubeconfig(folder, &user.name)?;
            write_private(&path, &kubeconfig(url, authority, &user.name, &user.token))?;
        }
        Ok(())
    }

    /// Where the kubeconfig of a user is: `kubeconfig` for the admin, `kubeconfig-<number>` for the others, whose names may hold
    /// what no file name can.
    pub(crate) fn kubeconfig(&self, folder: &Path, name: &str) -> Result<PathBuf, Error> {
        match self.0.iter().position(|user| user.name == name) {
            Some(0) => Ok(folder.join("kubeconfig")),
            Some(number) => Ok(folder.join(format!("kubeconfig-{number}"))),
            None => Err(Error::UnknownUser(name.to_owned())),
        }
    }

    /// The bearer token of a user.
    pub(crate) fn token(&self, name: &str) -> Result<&str, Error> {
        let user = self.0.iter().find(|user| user.name == name);
        user.map(|user| user.token.as_str()).ok_or_else(|| Error::UnknownUser(name.to_owned()))
    }
}

fn is_usable(name: &str) -> bool {
    !name.is_empty() && !name.contains([',', '"', '\'', '\n', '\r'])
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(Error::at("creating", path))?;
    file.write_all(text.as_bytes()).map_err(Error::at("writing", path))
}

/// The first line of every kubeconfig written here, by which a file that may be replaced is known.
pub(crate) const MARK: &str = "# Written by control-plane; it goes with the control plane that it names.";

fn kubeconfig(url: &str, authority: &str, name: &str, token: &str) -> String {
    let authority = BASE64_STANDARD.encode(authority);
    // Names hold no quotes, see `is_usable`.
    format!(
        "{MARK}
apiVersion: v1
kind: Config
clusters:
- name: control-plane
  cluster:
    server: {url}
    certificate-authority-data: {authority}
users:
- name: '{name}'
  user:
    token: {token}
contexts:
- name: control-plane
  context:
    cluster: control-plane
    user: '{name}'
current-context: control-plane
"
    )
}

/// The authority in the file that the API server writes beside its self-signed certificate: the last of its certificates.
pub(crate) fn authority_of(certificates: &str) -> Option<&str> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    // Half a file, still being written, has no end.
    let from = certificates.rfind(BEGIN)?;
    let last = &certificates[from..];
    (from > 0 && last.trim_end().ends_with(END)).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_token_of_its_own_and_its_groups_in_the_token_file() {
        let users = Users::new(&[("op".into(), vec!["a".into(), "b".into()])]).unwrap();
        let token = users.token("op").unwrap();
        assert!(users.token_file().contains(&format!("{token},op,op,\"a,b\"\n")));
        assert_ne!(token, users.token(ADMIN).unwrap());
        assert!(matches!(users.token("nobody"), Err(Error::UnknownUser(_))));
    }

    #[test]
    fn a_name_that_would_break_the_token_file_or_is_given_twice_is_refused() {
        for name in ["", "a,b", "a\"b", "a\nb", ADMIN] {
            let refused = Users::new(&[(name.into(), vec![])]);
            assert!(matches!(refused, Err(Error::UnusableName(_))), "{name:?}");
        }
        assert!(Users::new(&[("a".into(), vec!["b,c".into()])]).is_err());
    }

    #[test]
    fn the_authority_is_the_last_certificate_and_not_read_from_half_a_file() {
        let one = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n";
        let two = "-----BEGIN CERTIFICATE-----\nBB\n-----END CERTIFICATE-----\n";
        assert_eq!(authority_of(&format!("{one}{two}")), Some(two));
        assert_eq!(authority_of(one), None);
        assert_eq!(authority_of(&format!("{one}{}", &two[..35])), None);
    }
}
