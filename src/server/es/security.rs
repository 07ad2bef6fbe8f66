//! API keys and who one is: `_security`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::{Map, Value, json};

use super::filter_path::matches;
use super::request::parse_duration;
use super::{Body, EsError, EsResponse, EsResult, Params};
use crate::server::auth::{ApiKey, ApiKeys, Identity, NewKey, Realm, Role, now_millis};
use crate::server::state::AppState;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_security/_authenticate", get(authenticate))
        .route("/_security/api_key", post(create).put(create).get(list).delete(invalidate))
}

fn needs_security(app: &AppState) -> EsResult<()> {
    if app.security.is_on() {
        return Ok(());
    }
    let text = "security is not enabled; start the server with --users FILE";
    Err(EsError::new(400, "security_exception", text))
}

async fn authenticate(
    State(app): State<Arc<AppState>>,
    Extension(identity): Extension<Identity>,
    params: Params,
) -> EsResult<EsResponse> {
    params.finish()?;
    needs_security(&app)?;
    let (realm, kind) = match &identity.realm {
        Realm::ApiKey { .. } => (json!({"name": "_es_api_key", "type": "_es_api_key"}), "api_key"),
        Realm::File | Realm::Anonymous => (json!({"name": "file", "type": "file"}), "realm"),
    };
    let mut answer = json!({
        "username": identity.user,
        "roles": [identity.role.name()],
        "full_name": null,
        "email": null,
        "metadata": {},
        "enabled": true,
        "authentication_realm": realm.clone(),
        "lookup_realm": realm,
        "authentication_type": kind,
    });
    if let (Realm::ApiKey { id, name }, Some(object)) = (&identity.realm, answer.as_object_mut()) {
        object.insert("api_key".to_string(), json!({"id": id, "name": name}));
    }
    Ok(answer.into())
}

async fn create(
    State(app): State<Arc<AppState>>,
    Extension(identity): Extension<Identity>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    params.accept(&["refresh"]);
    params.finish()?;
    needs_security(&app)?;
    let new = read_new_key(body.required_object()?, &identity)?;
    let keys = app.clone();
    let (key, secret) = app.manage(move || Ok(keys.security.api_keys.create(new)?)).await?;
    let mut answer = Map::new();
    answer.insert("id".to_string(), json!(key.id));
    answer.insert("name".to_string(), json!(key.name));
    if let Some(expiration) = key.expiration {
        answer.insert("expiration".to_string(), json!(expiration));
    }
    answer.insert("api_key".to_string(), json!(secret));
    answer.insert("encoded".to_string(), json!(ApiKeys::encoded(&key.id, &secret)));
    Ok(Value::Object(answer).into())
}

fn read_new_key(body: Map<String, Value>, identity: &Identity) -> EsResult<NewKey> {
    let mut new = NewKey {
        name: String::new(),
        user: identity.user.clone(),
        role: identity.role,
        expiration: None,
        metadata: Map::new(),
        role_descriptors: Map::new(),
    };
    for (name, value) in body {
        match (name.as_str(), value) {
            ("name", Value::String(name)) => new.name = name,
            ("expiration", Value::Null) => {}
            ("expiration", Value::String(text)) => {
                let life = parse_duration(&text, "expiration")?;
                new.expiration = Some(now_millis().saturating_add(millis(life)));
            }
            ("metadata", Value::Object(metadata)) => new.metadata = metadata,
            ("role_descriptors", Value::Object(descriptors)) => {
                if let Some(role) = role_of(&descriptors)? {
                    new.role = role.min(identity.role);
                }
                new.role_descriptors = descriptors;
            }
            (name @ ("name" | "expiration" | "metadata" | "role_descriptors"), value) => {
                return Err(EsError::parsing(format!("[{name}] of an API key cannot be [{value}]")));
            }
            (other, _) => return Err(EsError::parsing(format!("unexpected field [{other}] of an API key"))),
        }
    }
    if new.name.trim().is_empty() {
        let text = "Validation Failed: 1: api key name is required;";
        return Err(EsError::new(400, "action_request_validation_exception", text));
    }
    Ok(new)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The least role that has every privilege of the descriptors; `None` where there is none, which means the maker's own.
fn role_of(descriptors: &Map<String, Value>) -> EsResult<Option<Role>> {
    let mut role = None;
    for (name, descriptor) in descriptors {
        let least = descriptor_role(name, descriptor)?;
        role = role.max(Some(least));
    }
    Ok(role)
}

fn descriptor_role(name: &str, descriptor: &Value) -> EsResult<Role> {
    let invalid = |what: &str| EsError::parsing(format!("the role descriptor [{name}] has no valid [{what}]"));
    let mut role = Role::Read;
    for (part, value) in descriptor.as_object().ok_or_else(|| invalid("object"))? {
        match part.as_str() {
            "cluster" => {
                for privilege in value.as_array().ok_or_else(|| invalid(part))? {
                    role = role.max(cluster_role(privilege.as_str().ok_or_else(|| invalid(part))?)?);
                }
            }
            "indices" | "index" => {
                for entry in value.as_array().ok_or_else(|| invalid(part))? {
                    role = role.max(indices_role(name, entry)?);
                }
            }
            "metadata" | "transient_metadata" => {}
            "applications" | "run_as" if value.as_array().is_some_and(Vec::is_empty) => {}
            other => return Err(EsError::unsupported(format!("[{other}] of the role descriptor [{name}]"))),
        }
    }
    Ok(role)
}

fn indices_role(name: &str, entry: &Value) -> EsResult<Role> {
    let invalid = |what: &str| EsError::parsing(format!("the role descriptor [{name}] has no valid [{what}]"));
    let mut role = Role::Read;
    for (part, value) in entry.as_object().ok_or_else(|| invalid("indices"))? {
        match part.as_str() {
            "names" => {
                let is_all = |value: &Value| value.as_str() == Some("*");
                let all = is_all(value) || value.as_array().is_some_and(|names| names.iter().any(is_all));
                if !all {
                    return Err(EsError::unsupported("an API key for some indices only ([names] other than [*])"));
                }
            }
            "privileges" => {
                for privilege in value.as_array().ok_or_else(|| invalid(part))? {
                    role = role.max(index_role(privilege.as_str().ok_or_else(|| invalid(part))?)?);
                }
            }
            "allow_restricted_indices" => {}
            other => return Err(EsError::unsupported(format!("[{other}] of the role descriptor [{name}]"))),
        }
    }
    Ok(role)
}

fn index_role(privilege: &str) -> EsResult<Role> {
    match privilege {
        "read" | "view_index_metadata" | "monitor" | "none" => Ok(Role::Read),
        "write" | "index" | "create" | "create_doc" | "delete" => Ok(Role::Write),
        "all" | "manage" | "create_index" | "delete_index" | "maintenance" | "auto_configure" => Ok(Role::Admin),
        other => Err(EsError::unsupported(format!("the index privilege [{other}]"))),
    }
}

fn cluster_role(privilege: &str) -> EsResult<Role> {
    match privilege {
        "monitor" | "none" => Ok(Role::Read),
        "all" | "manage" | "manage_security" | "manage_api_key" | "manage_own_api_key" => Ok(Role::Admin),
        other => Err(EsError::unsupported(format!("the cluster privilege [{other}]"))),
    }
}

async fn list(
    State(app): State<Arc<AppState>>,
    Extension(identity): Extension<Identity>,
    params: Params,
) -> EsResult<EsResponse> {
    let (id, name) = (params.str("id").map(str::to_string), params.str("name").map(str::to_string));
    let owner = params.bool_or("owner", false)?;
    let user = params.str("username").map(str::to_string);
    let active_only = params.bool_or("active_only", false)?;
    params.accept(&["realm_name", "with_limited_by", "with_profile_uid"]);
    params.finish()?;
    needs_security(&app)?;
    let now = now_millis();
    let keys = app.security.api_keys.list().into_iter().filter(|key| {
        id.as_ref().is_none_or(|id| key.id == *id)
            && name.as_ref().is_none_or(|name| matches(name, &key.name))
            && user.as_ref().is_none_or(|user| key.user == *user)
            && (!owner || key.user == identity.user)
            && !(active_only && (key.invalidation.is_some() || key.expiration.is_some_and(|end| end <= now)))
    });
    Ok(json!({"api_keys": keys.map(|key| print(&key)).collect::<Vec<_>>()}).into())
}

fn print(key: &ApiKey) -> Value {
    let mut printed = json!({
        "id": key.id,
        "name": key.name,
        "type": "rest",
        "creation": key.creation,
        "invalidated": key.invalidation.is_some(),
        "username": key.user,
        "realm": "file",
        "realm_type": "file",
        "metadata": key.metadata,
        "role_descriptors": key.role_descriptors,
    });
    if let Some(object) = printed.as_object_mut() {
        for (name, value) in [("expiration", key.expiration), ("invalidation", key.invalidation)] {
            if let Some(value) = value {
                object.insert(name.to_string(), json!(value));
            }
        }
    }
    printed
}

async fn invalidate(
    State(app): State<Arc<AppState>>,
    Extension(identity): Extension<Identity>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    params.finish()?;
    needs_security(&app)?;
    let mut ids: Option<Vec<String>> = None;
    let (mut name, mut user, mut owner) = (None, None, false);
    for (part, value) in body.required_object()? {
        match (part.as_str(), value) {
            ("ids", Value::Array(values)) => {
                ids = Some(values.iter().filter_map(|value| value.as_str().map(str::to_string)).collect());
            }
            ("id", Value::String(id)) => ids = Some(vec![id]),
            ("name", Value::String(value)) => name = Some(value),
            ("username", Value::String(value)) => user = Some(value),
            ("owner", Value::Bool(value)) => owner = value,
            (other, _) => return Err(EsError::parsing(format!("unexpected field [{other}]"))),
        }
    }
    if ids.is_none() && name.is_none() && user.is_none() && !owner {
        let text = "Validation Failed: 1: One of [api key id(s), api key name, username, realm name] must be specified if [owner] flag is false;";
        return Err(EsError::new(400, "action_request_validation_exception", text));
    }
    let keys = app.clone();
    let chosen = move |key: &ApiKey| {
        ids.as_ref().is_none_or(|ids| ids.contains(&key.id))
            && name.as_ref().is_none_or(|name| matches(name, &key.name))
            && user.as_ref().is_none_or(|user| key.user == *user)
            && (!owner || key.user == identity.user)
    };
    let (now, before) = app.manage(move || Ok(keys.security.api_keys.invalidate(chosen)?)).await?;
    Ok(json!({"invalidated_api_keys": now, "previously_invalidated_api_keys": before, "error_count": 0}).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_become_the_least_role_that_has_them() {
        for (descriptors, role) in [
            (json!({}), Ok(None)),
            (json!({"r": {"indices": [{"names": ["*"], "privileges": ["read"]}]}}), Ok(Some(Role::Read))),
            (
                json!({"r": {"cluster": ["monitor"], "indices": [{"names": "*", "privileges": ["read", "index"]}]}}),
                Ok(Some(Role::Write)),
            ),
            (json!({"r": {"cluster": ["all"]}}), Ok(Some(Role::Admin))),
            (json!({"r": {"indices": [{"names": ["books"], "privileges": ["read"]}]}}), Err("some indices only")),
            (json!({"r": {"indices": [{"names": ["*"], "privileges": ["fly"]}]}}), Err("fly")),
            (json!({"r": {"applications": [{}]}}), Err("applications")),
            (json!({"r": []}), Err("[r]")),
        ] {
            let found = role_of(descriptors.as_object().unwrap());
            match role {
                Ok(role) => assert_eq!(found, Ok(role), "{descriptors}"),
                Err(said) => assert!(found.unwrap_err().reason.contains(said), "{descriptors}"),
            }
        }
    }
}
