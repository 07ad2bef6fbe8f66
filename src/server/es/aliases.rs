//! Aliases: adding, removing, telling.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use serde_json::{Map, Value, json};

use super::filter_path::matches;
use super::targets::{read_options, resolve};
use super::{Body, EsError, EsResponse, EsResult, Params};
use crate::server::state::AppState;
use crate::store::blocks::Access;
use crate::store::catalog::{Alias, AliasAction, IndexHandle, IndicesOptions};

pub(super) fn routes() -> Router<Arc<AppState>> {
    let one = || put(put_alias).post(put_alias).delete(delete_alias);
    Router::new()
        .route("/_alias", get(tell_all).put(put_unnamed))
        .route("/_alias/{name}", get(tell_named).put(put_named).post(put_named))
        .route("/{index}/_alias", get(tell_of_index).put(put_of_index))
        .route("/{index}/_alias/{name}", one().get(tell_both))
        .route("/{index}/_aliases/{name}", one())
        .route("/_aliases", get(tell_all).post(update))
}

/// An alias of one index, as `_cat/aliases` tells it.
#[derive(Debug)]
pub(super) struct AliasRow {
    pub(super) name: String,
    pub(super) index: String,
    pub(super) alias: Alias,
}

/// Every alias of every index, by index and name.
pub(super) fn all(app: &AppState) -> Vec<AliasRow> {
    let indices = app.catalog.indices();
    let rows = indices.values().flat_map(|index| {
        index.aliases().iter().map(|(name, alias)| AliasRow {
            name: name.clone(),
            index: index.name().to_string(),
            alias: alias.clone(),
        })
    });
    rows.collect()
}

/// The aliases of an index whose name is chosen.
pub(super) fn tell(index: &IndexHandle, is_chosen: impl Fn(&str) -> bool) -> Value {
    let chosen = index.aliases().iter().filter(|(name, _)| is_chosen(name));
    Value::Object(chosen.map(|(name, alias)| (name.clone(), print(alias))).collect())
}

fn print(alias: &Alias) -> Value {
    serde_json::to_value(alias).unwrap_or_default()
}

/// The `aliases` of a new index.
pub(super) fn read_all(value: &Value) -> EsResult<BTreeMap<String, Alias>> {
    let aliases = value.as_object().ok_or_else(|| EsError::parsing("[aliases] must be an object"))?;
    let read = aliases.iter().map(|(name, value)| match value {
        Value::Object(object) => Ok((name.clone(), read(object.clone())?)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(EsError::parsing(format!("the alias [{name}] must be an object")))
        }
    });
    read.collect()
}

fn read(body: Map<String, Value>) -> EsResult<Alias> {
    let mut alias = Alias::default();
    for (name, value) in body {
        read_member(&mut alias, &name, value)?;
    }
    Ok(alias)
}

/// Reads a member of an alias; whatever is none is refused by name.
fn read_member(alias: &mut Alias, name: &str, value: Value) -> EsResult<()> {
    let wrong = |value: &Value| EsError::parsing(format!("[{name}] of an alias cannot be [{value}]"));
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(wrong(value)),
    };
    let flag = |value: &Value| match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Err(wrong(value)),
    };
    match name {
        _ if value.is_null() => {}
        "filter" if value.is_object() => alias.filter = Some(value),
        "routing" => {
            // For whichever has none of its own, before or after.
            let routing = text(&value)?;
            alias.index_routing.get_or_insert_with(|| routing.clone());
            alias.search_routing.get_or_insert(routing);
        }
        "index_routing" | "index-routing" | "indexRouting" => alias.index_routing = Some(text(&value)?),
        "search_routing" | "search-routing" | "searchRouting" => alias.search_routing = Some(text(&value)?),
        "is_write_index" => alias.is_write_index = Some(flag(&value)?),
        "is_hidden" => alias.is_hidden = Some(flag(&value)?),
        "filter" => return Err(wrong(&value)),
        other => return Err(EsError::parsing(format!("unknown field [{other}] of an alias"))),
    }
    Ok(())
}

async fn tell_all(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    tell_some(app, None, None, params).await
}

async fn tell_named(
    State(app): State<Arc<AppState>>,
    Path(name): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    tell_some(app, None, Some(name), params).await
}

async fn tell_of_index(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    tell_some(app, Some(index), None, params).await
}

async fn tell_both(
    State(app): State<Arc<AppState>>,
    Path((index, name)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    tell_some(app, Some(index), Some(name), params).await
}

async fn tell_some(
    app: Arc<AppState>,
    index: Option<String>,
    name: Option<String>,
    params: Params,
) -> EsResult<EsResponse> {
    // Hidden and closed indices have aliases, too.
    let options = read_options(&params, IndicesOptions::everything())?;
    params.accept(&["local", "master_timeout"]);
    params.finish()?;
    let found = app
        .manage({
            let app = app.clone();
            move || resolve(&app, index.as_deref().unwrap_or("_all"), options)
        })
        .await?;
    let Some(name) = name else {
        let told = found.iter().map(|index| (index.name().to_string(), json!({"aliases": tell(index, |_| true)})));
        return Ok(Value::Object(told.collect()).into());
    };
    let names: Vec<&str> = name.split(',').map(str::trim).collect();
    let is_chosen = |alias: &str| chooses(&names, alias);
    let mut answer = Map::new();
    for index in &found {
        let told = tell(index, is_chosen);
        if told.as_object().is_some_and(|told| !told.is_empty()) {
            answer.insert(index.name().to_string(), json!({"aliases": told}));
        }
    }
    let is_there = |name: &str| found.iter().any(|index| index.aliases().contains_key(name));
    let mut missing: Vec<&str> =
        names.iter().copied().filter(|name| is_plain(name) && !name.starts_with('-') && !is_there(name)).collect();
    missing.sort_unstable();
    if missing.is_empty() {
        return Ok(Value::Object(answer).into());
    }
    let word = if missing.len() == 1 { "alias" } else { "aliases" };
    answer.insert("error".to_string(), json!(format!("{word} [{}] missing", missing.join(","))));
    answer.insert("status".to_string(), json!(404));
    Ok(EsResponse::with_status(404, Value::Object(answer)))
}

fn is_plain(name: &str) -> bool {
    !name.contains('*') && name != "_all"
}

/// Whether names and patterns, with a `-` before those that take away, choose this alias.
fn chooses(names: &[&str], alias: &str) -> bool {
    let mut is_chosen = false;
    for name in names {
        match name.strip_prefix('-') {
            Some(excluded) if matches(excluded, alias) => is_chosen = false,
            Some(_) => {}
            None if *name == "_all" || matches(name, alias) => is_chosen = true,
            None => {}
        }
    }
    is_chosen
}

async fn put_alias(
    State(app): State<Arc<AppState>>,
    Path((index, name)): Path<(String, String)>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    put_some(app, Some(index), Some(name), params, body).await
}

async fn put_named(
    State(app): State<Arc<AppState>>,
    Path(name): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    put_some(app, None, Some(name), params, body).await
}

async fn put_of_index(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    put_some(app, Some(index), None, params, body).await
}

async fn put_unnamed(State(app): State<Arc<AppState>>, params: Params, body: Body) -> EsResult<EsResponse> {
    put_some(app, None, None, params, body).await
}

/// What the body names goes before what the path names.
async fn put_some(
    app: Arc<AppState>,
    index: Option<String>,
    name: Option<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    params.accept(&["timeout", "master_timeout"]);
    params.finish()?;
    let mut body = body.object()?.unwrap_or_default();
    let mut chosen = |member: &str, of_path: Option<String>| match body.shift_remove(member) {
        None => of_path.ok_or_else(|| {
            EsError::illegal_argument(format!("[{member}] is missing: give it in the path or the body"))
        }),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(EsError::parsing(format!("[{member}] of an alias cannot be [{other}]"))),
    };
    let (index, name) = (chosen("index", index)?, chosen("alias", name)?);
    let alias = read(body)?;
    change(app, move |app| add(app, &index, &[name], &alias)).await?;
    Ok(EsResponse::acknowledged())
}

async fn delete_alias(
    State(app): State<Arc<AppState>>,
    Path((index, name)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    params.accept(&["timeout", "master_timeout"]);
    params.finish()?;
    let names = name.split(',').map(|name| pattern(name.trim())).collect();
    change(app, move |app| Ok(vec![remove(app, &index, names, Some(true))?])).await?;
    Ok(EsResponse::acknowledged())
}

fn pattern(name: &str) -> String {
    if name == "_all" { "*".to_string() } else { name.to_string() }
}

/// Works out actions and does them.
async fn change(
    app: Arc<AppState>,
    actions: impl FnOnce(&AppState) -> EsResult<Vec<AliasAction>> + Send + 'static,
) -> EsResult<()> {
    let worker = app.clone();
    app.manage(move || {
        let actions = actions(&worker)?;
        Ok(worker.catalog.update_aliases(&actions)?)
    })
    .await
}

/// Aliases are given to indices, not to other aliases.
fn concrete(app: &AppState, expression: &str, access: Access) -> EsResult<Vec<String>> {
    let options = IndicesOptions {
        allow_no_indices: false,
        expand_closed: true,
        expand_hidden: true,
        allow_aliases: false,
        ..IndicesOptions::default()
    };
    let found = resolve(app, expression, options)?;
    found.iter().try_for_each(|index| index.check_blocks(access))?;
    Ok(found.iter().map(|index| index.name().to_string()).collect())
}

fn add(app: &AppState, indices: &str, names: &[String], alias: &Alias) -> EsResult<Vec<AliasAction>> {
    names.iter().try_for_each(|name| check(app, name, alias))?;
    let mut actions = Vec::new();
    for index in concrete(app, indices, Access::MetadataWrite)? {
        for name in names {
            actions.push(AliasAction::Add {
                index: index.clone(),
                alias: name.clone(),
                value: Box::new(alias.clone()),
            });
        }
    }
    Ok(actions)
}

/// Refuses an alias whose filter is no query.
///
/// # Errors
/// `illegal_argument_exception`, with the query's own error behind it.
pub(super) fn check(app: &AppState, name: &str, alias: &Alias) -> EsResult<()> {
    let Some(filter) = &alias.filter else { return Ok(()) };
    super::search::check_query(app, filter).map_err(|error| {
        EsError::illegal_argument(format!("failed to parse filter for alias [{name}]")).caused_by(error)
    })
}

fn remove(app: &AppState, indices: &str, aliases: Vec<String>, must_exist: Option<bool>) -> EsResult<AliasAction> {
    Ok(AliasAction::Remove { indices: concrete(app, indices, Access::MetadataWrite)?, aliases, must_exist })
}

async fn update(State(app): State<Arc<AppState>>, params: Params, body: Body) -> EsResult<EsResponse> {
    params.accept(&["timeout", "master_timeout"]);
    params.finish()?;
    let mut body = body.required_object()?;
    let actions = body.shift_remove("actions");
    if let Some((other, _)) = body.iter().next() {
        return Err(EsError::parsing(format!("[aliases] unknown field [{other}]")));
    }
    let Some(Value::Array(actions)) = actions else {
        return Err(EsError::illegal_argument("[aliases] needs [actions], an array"));
    };
    if actions.is_empty() {
        return Err(EsError::illegal_argument("No action specified"));
    }
    let actions: Vec<Action> = actions.into_iter().map(Action::read).collect::<EsResult<_>>()?;
    change(app, move |app| {
        let mut done = Vec::new();
        for action in actions {
            action.resolve(app, &mut done)?;
        }
        Ok(done)
    })
    .await?;
    Ok(json!({"acknowledged": true, "errors": false}).into())
}

/// One of `_aliases`' actions.
#[derive(Debug, Default)]
struct Action {
    kind: String,
    indices: Vec<String>,
    names: Vec<String>,
    alias: Alias,
    must_exist: Option<bool>,
}

impl Action {
    fn read(value: Value) -> EsResult<Self> {
        let Value::Object(object) = value else { return Err(EsError::parsing("an action must be an object")) };
        let mut members = object.into_iter();
        let (Some((kind, Value::Object(body))), None) = (members.next(), members.next()) else {
            return Err(EsError::parsing("an action has one member: [add], [remove] or [remove_index], an object"));
        };
        let mut action = Self { kind, ..Self::default() };
        for (name, value) in body {
            match name.as_str() {
                "index" | "indices" => action.indices = one_or_many(&name, &value)?,
                "alias" | "aliases" if action.kind != "remove_index" => action.names = one_or_many(&name, &value)?,
                "must_exist" if value.is_boolean() => action.must_exist = value.as_bool(),
                _ if action.kind == "add" => read_member(&mut action.alias, &name, value)?,
                other => return Err(EsError::parsing(format!("[{}] unknown field [{other}]", action.kind))),
            }
        }
        if !matches!(action.kind.as_str(), "add" | "remove" | "remove_index") {
            return Err(EsError::parsing(format!("[alias_action] unknown field [{}]", action.kind)));
        }
        if action.indices.is_empty() {
            return Err(EsError::illegal_argument(format!(
                "One of [index] or [indices] is required for [{}]",
                action.kind
            )));
        }
        if action.names.is_empty() && action.kind != "remove_index" {
            return Err(EsError::illegal_argument(format!(
                "One of [alias] or [aliases] is required for [{}]",
                action.kind
            )));
        }
        Ok(action)
    }

    fn resolve(self, app: &AppState, done: &mut Vec<AliasAction>) -> EsResult<()> {
        let indices = self.indices.join(",");
        match self.kind.as_str() {
            "add" => done.extend(add(app, &indices, &self.names, &self.alias)?),
            "remove" => {
                let names = self.names.iter().map(|name| pattern(name)).collect();
                done.push(remove(app, &indices, names, self.must_exist)?);
            }
            _ => {
                let gone = concrete(app, &indices, Access::Delete)?;
                done.extend(gone.into_iter().map(|index| AliasAction::RemoveIndex { index }));
            }
        }
        Ok(())
    }
}

fn one_or_many(name: &str, value: &Value) -> EsResult<Vec<String>> {
    let wrong = || EsError::parsing(format!("[{name}] must be a text or an array of texts"));
    match value {
        Value::String(one) => Ok(vec![one.clone()]),
        Value::Array(many) => many.iter().map(|one| one.as_str().map(str::to_string).ok_or_else(wrong)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_aliases_are_read_or_refused() {
        let read = |value: Value| read(value.as_object().unwrap().clone());
        let alias = read(json!({"filter": {"term": {"a": 1}}, "routing": 7, "is_write_index": true})).unwrap();
        assert_eq!((alias.index_routing.as_deref(), alias.search_routing.as_deref()), (Some("7"), Some("7")));
        assert_eq!(print(&alias)["filter"], json!({"term": {"a": 1}}));
        for (body, said) in [
            (json!({"colour": 1}), "colour"),
            (json!({"filter": "x"}), "filter"),
            (json!({"is_hidden": 2}), "is_hidden"),
        ] {
            assert!(read(body).unwrap_err().reason.contains(said));
        }
    }

    #[test]
    fn actions_are_read_or_refused() {
        for (action, said) in [
            (json!({"add": {"index": "a", "alias": "b"}}), ""),
            (json!({"remove": {"indices": ["a", "c"], "aliases": "b*", "must_exist": false}}), ""),
            (json!({"remove_index": {"index": "a"}}), ""),
            (json!({"add": {"alias": "b"}}), "[index]"),
            (json!({"add": {"index": "a"}}), "[alias]"),
            (json!({"swap": {"index": "a", "alias": "b"}}), "swap"),
            (json!({"remove": {"index": "a", "alias": "b", "filter": {}}}), "filter"),
            (json!({"add": {"index": 1, "alias": "b"}}), "[index]"),
            (json!([]), "object"),
        ] {
            match Action::read(action.clone()) {
                Ok(_) => assert_eq!(said, "", "{action}"),
                Err(error) => assert!(!said.is_empty() && error.reason.contains(said), "{action}: {error}"),
            }
        }
    }

    #[test]
    fn patterns_choose_aliases() {
        for (names, alias, is_chosen) in [
            (vec!["a*"], "ab", true),
            (vec!["_all"], "x", true),
            (vec!["a*", "-ab"], "ab", false),
            (vec!["b"], "ab", false),
        ] {
            assert_eq!(chooses(&names, alias), is_chosen, "{names:?} {alias}");
        }
    }
}
