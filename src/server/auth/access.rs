//! Roles, and what a route asks for.

use axum::http::Method;
use serde::{Deserialize, Serialize};

use crate::server::es::error::{EsError, EsResult};

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Tells something.
    Read,
    /// Changes documents.
    Write,
    /// Creates, deletes or changes indices, keys or the server.
    Admin,
}

/// What someone may do; each role may do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Searches and looks.
    Read,
    /// Writes documents, too.
    Write,
    /// Everything.
    Admin,
}

impl Role {
    /// As the files and the API write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    fn allows(self, access: Access) -> bool {
        match access {
            Access::Read => true,
            Access::Write => self >= Self::Write,
            Access::Admin => self >= Self::Admin,
        }
    }
}

/// How someone proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Realm {
    /// There is no authentication.
    Anonymous,
    /// A password.
    File,
    /// The key of this id and name.
    ApiKey {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's name; of a key, its maker's.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// How they proved it.
    pub realm: Realm,
}

impl Identity {
    /// Everyone, where there is no authentication.
    pub fn anonymous() -> Self {
        Self { user: "_anonymous".to_string(), role: Role::Admin, realm: Realm::Anonymous }
    }

    /// Whether they may.
    ///
    /// # Errors
    /// `security_exception` with status 403.
    pub fn check(&self, access: Access, method: &Method, path: &str) -> EsResult<()> {
        if self.role.allows(access) {
            return Ok(());
        }
        let who = match &self.realm {
            Realm::ApiKey { id, .. } => format!("API key id [{id}] of user [{}]", self.user),
            Realm::Anonymous | Realm::File => {
                format!("user [{}] with effective roles [{}]", self.user, self.role.name())
            }
        };
        let needed = match access {
            Access::Read => Role::Read,
            Access::Write => Role::Write,
            Access::Admin => Role::Admin,
        };
        let reason = format!(
            "action [{method} {path}] is unauthorized for {who}, this action is granted by the role [{}]",
            needed.name()
        );
        Err(EsError::new(403, "security_exception", reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_what_the_one_before_it_may() {
        for (role, allowed) in
            [(Role::Read, [true, false, false]), (Role::Write, [true, true, false]), (Role::Admin, [true, true, true])]
        {
            let identity = Identity { user: "a".to_string(), role, realm: Realm::File };
            let may = [Access::Read, Access::Write, Access::Admin]
                .map(|access| identity.check(access, &Method::GET, "/x").is_ok());
            assert_eq!(may, allowed, "{role:?}");
        }
    }
}
