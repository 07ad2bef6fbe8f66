//! Who asks, and what they may do.
//!
//! In: the header `Authorization`. Out: an [`Identity`], or 401. Users come from a file with Argon2 hashes, API keys from the data
//! folder. Invariant: neither passwords nor keys are stored or logged, and comparisons take the same time whatever differs. Read next:
//! [`access`] (roles), `users.rs`, `api_keys.rs`.

pub mod access;
mod api_keys;
mod users;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use access::{Access, Identity, Realm, Role};
pub(crate) use api_keys::now_millis;
pub use api_keys::{ApiKey, ApiKeys, NewKey};
pub use users::{Users, hash_password};

use super::es::error::{EsError, EsResult};
use super::state::AppState;
use super::threads::Pool;
use crate::error::Result;

/// Passwords whose check is remembered; each entry is small.
const MAX_REMEMBERED: usize = 1_000;

/// The users and keys of a server.
#[derive(Debug)]
pub struct Security {
    users: Option<Arc<Users>>,
    /// The keys that the API makes.
    pub api_keys: ApiKeys,
    remembered: Mutex<HashMap<[u8; 32], Identity>>,
    secret: [u8; 32],
    /// Argon2 is slow by design; a flood of wrong passwords fills this pool and no other.
    checks: Pool,
}

impl Security {
    /// Security by a file of users; none lets everyone in.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) naming the file and what is wrong with it;
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) for the data folder's file of keys.
    pub fn open(folder: &Path, users: Option<&Path>) -> Result<Self> {
        let mut secret = [0; 32];
        let (first, second) = secret.split_at_mut(16);
        first.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        second.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        Ok(Self {
            users: users.map(Users::open).transpose()?.map(Arc::new),
            api_keys: ApiKeys::open(folder)?,
            remembered: Mutex::default(),
            secret,
            checks: Pool::new("auth", 1, 64),
        })
    }

    /// Whether requests need a user or a key.
    pub fn is_on(&self) -> bool {
        self.users.is_some()
    }

    /// Who asks.
    ///
    /// # Errors
    /// `security_exception` with status 401; 429 when too many passwords wait for their check.
    pub(super) async fn identify(&self, headers: &HeaderMap, _: &AppState) -> EsResult<Identity> {
        let Some(users) = &self.users else { return Ok(Identity::anonymous()) };
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Err(unauthorized("missing authentication credentials for REST request"));
        };
        let header = header.to_str().unwrap_or_default();
        let (scheme, credentials) = header.split_once(' ').unwrap_or((header, ""));
        let decoded = STANDARD.decode(credentials.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((name, secret)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
            return Err(unauthorized("unable to read the credentials of the header [Authorization]"));
        };
        if scheme.eq_ignore_ascii_case("apikey") {
            return self.api_keys.identify(name, secret).ok_or_else(|| unauthorized("unable to authenticate with provided credentials and anonymous access is not allowed for this request"));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(unauthorized("the header [Authorization] is of neither scheme, [Basic] nor [ApiKey]"));
        }
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(secret.as_bytes());
        let digest = *hasher.finalize().as_bytes();
        if let Some(identity) = self.remembered().get(&digest) {
            return Ok(identity.clone());
        }
        let (users, user, password) = (users.clone(), name.to_string(), secret.to_string());
        let identity = self.checks.run(move || Ok(users.identify(&user, &password))).await?;
        let failed = || unauthorized(&format!("unable to authenticate user [{name}] for REST request"));
        let identity = identity.ok_or_else(failed)?;
        let mut remembered = self.remembered();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(digest, identity.clone());
        Ok(identity)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Identity>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unauthorized(reason: &str) -> EsError {
    EsError::new(401, "security_exception", reason).with(
        "header",
        serde_json::json!({"WWW-Authenticate": ["Basic realm=\"security\", charset=\"UTF-8\"", "ApiKey"]}),
    )
}
