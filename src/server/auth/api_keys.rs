//! API keys: made and revoked by the API, kept in `DATA/api_keys.json` as hashes.
//!
//! A key is 32 random bytes, so a fast hash of it is as safe as a slow one. The file is replaced atomically, and readable by its
//! owner only.
//!
//! # Stability
//! The file is `{"keys": [ApiKey]}`; members may be added.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{RwLock, RwLockReadGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::{Identity, Realm, Role};
use crate::error::{Error, Result};

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// As its maker named it.
    pub name: String,
    /// Its maker.
    pub user: String,
    /// What it may do.
    pub role: Role,
    /// Milliseconds since 1970.
    pub creation: u64,
    /// Milliseconds since 1970.
    #[serde(default)]
    pub expiration: Option<u64>,
    /// Milliseconds since 1970, where it was revoked.
    #[serde(default)]
    pub invalidation: Option<u64>,
    /// As its maker gave it.
    #[serde(default)]
    pub metadata: serde_json::Map<String, Value>,
    /// As its maker gave it.
    #[serde(default)]
    pub role_descriptors: serde_json::Map<String, Value>,
    /// BLAKE3 of the secret, hexadecimal.
    hash: String,
}

/// What a new key shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewKey {
    /// Its name.
    pub name: String,
    /// Its maker.
    pub user: String,
    /// What it may do.
    pub role: Role,
    /// Milliseconds since 1970.
    pub expiration: Option<u64>,
    /// Kept for its maker.
    pub metadata: serde_json::Map<String, Value>,
    /// Kept for its maker.
    pub role_descriptors: serde_json::Map<String, Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    keys: Vec<ApiKey>,
}

/// The keys of a server.
#[derive(Debug)]
pub struct ApiKeys {
    path: PathBuf,
    file: RwLock<File>,
}

impl ApiKeys {
    /// Reads the file, where there is one.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("api_keys.json");
        let file = match fs_err::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::corrupt(format!("is no file of API keys: {error}")).in_file(&path))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => File::default(),
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path, file: RwLock::new(file) })
    }

    /// Every key, revoked ones too, oldest first.
    pub fn list(&self) -> Vec<ApiKey> {
        self.file().keys.clone()
    }

    /// Makes a key; returns it with its secret, which is told this once.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the file cannot be written.
    pub fn create(&self, new: NewKey) -> Result<(ApiKey, String)> {
        let mut bytes = uuid::Uuid::new_v4().as_bytes().to_vec();
        bytes.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
        let secret = URL_SAFE_NO_PAD.encode(bytes);
        let key = ApiKey {
            id: URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes()),
            name: new.name,
            user: new.user,
            role: new.role,
            creation: now_millis(),
            expiration: new.expiration,
            invalidation: None,
            metadata: new.metadata,
            role_descriptors: new.role_descriptors,
            hash: hash(&secret).to_hex().to_string(),
        };
        self.change(|keys| keys.push(key.clone()))?;
        Ok((key, secret))
    }

    /// Revokes the keys that `chosen` chooses; returns those that were valid, and those that were revoked before.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the file cannot be written.
    pub fn invalidate(&self, chosen: impl Fn(&ApiKey) -> bool) -> Result<(Vec<String>, Vec<String>)> {
        let mut ids = (Vec::new(), Vec::new());
        self.change(|keys| {
            for key in keys.iter_mut().filter(|key| chosen(key)) {
                match key.invalidation {
                    Some(_) => ids.1.push(key.id.clone()),
                    None => {
                        key.invalidation = Some(now_millis());
                        ids.0.push(key.id.clone());
                    }
                }
            }
        })?;
        Ok(ids)
    }

    /// `id:secret` in base64, as clients take it.
    pub fn encoded(id: &str, secret: &str) -> String {
        STANDARD.encode(format!("{id}:{secret}"))
    }

    pub(super) fn identify(&self, id: &str, secret: &str) -> Option<Identity> {
        let file = self.file();
        let key = file.keys.iter().find(|key| key.id == id);
        // Hashed in any case; the comparison of blake3's hashes takes the same time whatever differs.
        let given = hash(secret);
        let stored = key.and_then(|key| blake3::Hash::from_hex(&key.hash).ok());
        let is_right = stored.is_some_and(|stored| stored == given);
        let key = key.filter(|key| {
            is_right && key.invalidation.is_none() && key.expiration.is_none_or(|end| now_millis() < end)
        })?;
        let realm = Realm::ApiKey { id: key.id.clone(), name: key.name.clone() };
        Some(Identity { user: key.user.clone(), role: key.role, realm })
    }

    fn file(&self) -> RwLockReadGuard<'_, File> {
        self.file.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Changes a copy, writes it, and only then lets it count.
    fn change(&self, change: impl FnOnce(&mut Vec<ApiKey>)) -> Result<()> {
        let mut file = self.file.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut keys = file.keys.clone();
        change(&mut keys);
        let changed = File { keys };
        write(&self.path, &changed)?;
        *file = changed;
        Ok(())
    }
}

fn write(path: &Path, file: &File) -> Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    // The crate makes files that only their owner reads.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut temporary, file).map_err(|error| Error::internal(error.to_string()))?;
    temporary.flush()?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| Error::from(error.error))?;
    fs_err::File::open(folder)?.sync_all()?;
    Ok(())
}

fn hash(secret: &str) -> blake3::Hash {
    blake3::hash(secret.as_bytes())
}

/// Milliseconds since 1970.
pub(crate) fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str) -> NewKey {
        NewKey {
            name: name.to_string(),
            user: "anna".to_string(),
            role: Role::Read,
            expiration: None,
            metadata: serde_json::Map::new(),
            role_descriptors: serde_json::Map::new(),
        }
    }

    #[test]
    fn a_key_lives_until_it_is_revoked_or_ends() {
        let folder = tempfile::tempdir().unwrap();
        let keys = ApiKeys::open(folder.path()).unwrap();
        let (key, secret) = keys.create(new("a")).unwrap();
        let (ended, ended_secret) = keys.create(NewKey { expiration: Some(1), ..new("b") }).unwrap();
        let reopened = ApiKeys::open(folder.path()).unwrap();
        for keys in [&keys, &reopened] {
            assert_eq!(keys.identify(&key.id, &secret).unwrap().role, Role::Read);
            assert_eq!(keys.identify(&key.id, &ended_secret), None);
            assert_eq!(keys.identify("other", &secret), None);
            assert_eq!(keys.identify(&ended.id, &ended_secret), None);
        }
        let stored = fs_err::read_to_string(folder.path().join("api_keys.json")).unwrap();
        assert!(!stored.contains(&secret));
        assert_eq!(reopened.invalidate(|one| one.id == key.id).unwrap(), (vec![key.id.clone()], vec![]));
        assert_eq!(reopened.invalidate(|one| one.id == key.id).unwrap(), (vec![], vec![key.id.clone()]));
        assert_eq!(reopened.identify(&key.id, &secret), None);
        assert_eq!(ApiKeys::open(folder.path()).unwrap().identify(&key.id, &secret), None);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("api_keys.json"), "{").unwrap();
        assert!(ApiKeys::open(folder.path()).unwrap_err().to_string().contains("api_keys.json"));
    }
}
