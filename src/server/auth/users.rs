//! The file of users: YAML or JSON, `name: {role: read, password_hash: "$argon2id$.."}`.

use std::collections::BTreeMap;
use std::path::Path;

use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use serde::Deserialize;

use super::access::{Identity, Realm, Role};
use crate::error::{Error, Result};

/// Users by name.
#[derive(Debug)]
pub struct Users {
    users: BTreeMap<String, User>,
    /// Checked where there is no such user, so that the time tells nothing.
    decoy: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    role: Role,
    password_hash: String,
}

impl Users {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) naming the file and the user.
    pub fn open(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path).map_err(Error::from)?;
        let users: BTreeMap<String, User> = serde_norway::from_str(&text).map_err(|error| {
            let text = format!("is no file of users ({error}); write `NAME: {{role: admin, password_hash: \"..\"}}`");
            Error::invalid_input(text).in_file(path)
        })?;
        if users.is_empty() {
            return Err(Error::invalid_input("has no user").in_file(path));
        }
        for (name, user) in &users {
            if let Err(error) = PasswordHash::new(&user.password_hash) {
                let text = format!(
                    "the password_hash of {name:?} is none ({error}); `bifocal hash-password` makes one of a password"
                );
                return Err(Error::invalid_input(text).in_file(path));
            }
            if name.is_empty() || name.contains(':') {
                return Err(Error::invalid_input(format!("{name:?} is no name of a user")).in_file(path));
            }
        }
        Ok(Self { users, decoy: hash_password(&uuid::Uuid::new_v4().to_string())? })
    }

    /// The user, where the password is right. Slow by design.
    pub(super) fn identify(&self, name: &str, password: &str) -> Option<Identity> {
        let user = self.users.get(name);
        let hash = user.map_or(&self.decoy, |user| &user.password_hash);
        let hash = PasswordHash::new(hash).ok()?;
        let is_right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        let user = user.filter(|_| is_right)?;
        Some(Identity { user: name.to_string(), role: user.role, realm: Realm::File })
    }
}

/// The Argon2id hash of a password, as the file of users has it.
///
/// # Errors
/// [`ErrorKind::Internal`](crate::ErrorKind::Internal) where hashing fails.
pub fn hash_password(password: &str) -> Result<String> {
    let failed =
        |error: argon2::password_hash::Error| Error::internal(format!("the password cannot be hashed: {error}"));
    let salt = SaltString::encode_b64(uuid::Uuid::new_v4().as_bytes()).map_err(failed)?;
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt).map_err(failed)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.yml");
        let hash = hash_password("correct horse").unwrap();
        fs_err::write(&path, format!("anna: {{role: write, password_hash: \"{hash}\"}}\n")).unwrap();
        let users = Users::open(&path).unwrap();
        assert_eq!(users.identify("anna", "correct horse").unwrap().role, Role::Write);
        assert_eq!(users.identify("anna", "correct hors"), None);
        assert_eq!(users.identify("otto", "correct horse"), None);
    }

    #[test]
    fn a_broken_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.yml");
        for (text, said) in [
            ("{}", "no user"),
            ("anna: {role: boss, password_hash: x}", "boss"),
            ("anna: {role: read, password_hash: plain}", "anna"),
            ("anna: {role: read, password: plain}", "password"),
            ("[", "users"),
        ] {
            fs_err::write(&path, text).unwrap();
            let error = Users::open(&path).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("users.yml"), "{error}");
        }
    }
}
