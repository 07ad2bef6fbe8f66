//! Which endpoints there are: every model by its own name, and the names that were put.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::models::ModelKind;
use crate::server::es::error::{EsError, EsResult};
use crate::server::state::AppState;

/// The file of the names that were put, in the data folder.
const FILE: &str = "inference.json";

/// What an endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskType {
    /// Texts to vectors.
    TextEmbedding,
    /// A question and texts to relevances.
    Rerank,
}

impl TaskType {
    /// Reads Elasticsearch's name.
    ///
    /// # Errors
    /// `illegal_argument_exception` for a task that is not supported, by name.
    pub fn parse(name: &str) -> EsResult<Self> {
        match name {
            "text_embedding" => Ok(TaskType::TextEmbedding),
            "rerank" => Ok(TaskType::Rerank),
            "sparse_embedding" | "completion" | "chat_completion" => {
                Err(EsError::unsupported(format!("the inference task type [{name}]")))
            }
            other => Err(EsError::illegal_argument(format!("Unknown task_type [{other}]"))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            TaskType::TextEmbedding => "text_embedding",
            TaskType::Rerank => "rerank",
        }
    }
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// By which name it is called.
    #[serde(skip)]
    pub id: String,
    /// What it does.
    pub task: TaskType,
    /// The model that does it.
    pub model: String,
    /// Numbers a vector; 0 for a cross-encoder.
    pub dims: usize,
}

impl Endpoint {
    /// As Elasticsearch shows it.
    pub fn to_json(&self) -> Value {
        let mut settings = json!({"model_id": self.model, "num_allocations": 1, "num_threads": 1});
        if let (TaskType::TextEmbedding, Some(settings)) = (self.task, settings.as_object_mut()) {
            settings.insert("dimensions".to_string(), json!(self.dims));
            settings.insert("element_type".to_string(), json!("float"));
        }
        json!({
            "inference_id": self.id, "task_type": self.task.name(), "service": "bifocal", "service_settings": settings
        })
    }
}

/// The names that were put.
#[derive(Debug)]
pub struct Endpoints {
    file: PathBuf,
    named: Mutex<BTreeMap<String, Endpoint>>,
}

#[derive(Debug, Default)]
struct Slot(Mutex<Option<Arc<Endpoints>>>);

impl Endpoints {
    /// Those of a server; read from the data folder at the first call.
    ///
    /// # Errors
    /// `exception` when the file is damaged, naming it.
    pub fn of(app: &AppState) -> EsResult<Arc<Self>> {
        let slot = app.slot::<Slot>();
        let mut slot = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoints) = slot.as_ref() {
            return Ok(endpoints.clone());
        }
        let file = app.catalog.folder().join(FILE);
        let named: BTreeMap<String, Endpoint> = match fs_err::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                EsError::new(500, "exception", format!("{} is damaged ({error}); restore or remove it", file.display()))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(crate::error::Error::from(error).into()),
        };
        for (name, endpoint) in &named {
            app.models.add_alias(name, &endpoint.model);
        }
        let endpoints = Arc::new(Self { file, named: Mutex::new(named) });
        *slot = Some(endpoints.clone());
        Ok(endpoints)
    }

    /// All of them, those that were put first.
    ///
    /// # Errors
    /// `exception` when the catalogue of models is damaged.
    pub fn all(&self, app: &AppState) -> EsResult<Vec<Endpoint>> {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Endpoint> =
            named.iter().map(|(id, endpoint)| Endpoint { id: id.clone(), ..endpoint.clone() }).collect();
        drop(named);
        all.extend(app.models.list()?.into_iter().filter(|model| model.folder.is_some()).map(|model| of_model(&model)));
        Ok(all)
    }

    /// The endpoint of a name: one that was put, or a model.
    ///
    /// # Errors
    /// `resource_not_found_exception`; `status_exception` when it does another task.
    pub fn find(&self, app: &AppState, task: Option<TaskType>, id: &str) -> EsResult<Endpoint> {
        let known = self.all(app)?.into_iter().find(|endpoint| endpoint.id == id);
        let endpoint = match known {
            Some(endpoint) => endpoint,
            None => default_for(app, id)?,
        };
        match task {
            Some(task) if task != endpoint.task => Err(EsError::new(
                400,
                "status_exception",
                format!(
                    "Requested path task_type [{}] does not match the model's task_type [{}]",
                    task.name(),
                    endpoint.task.name()
                ),
            )),
            _ => Ok(endpoint),
        }
    }

    /// Gives a model one more name. The model is loaded, so that a name that cannot work is refused.
    ///
    /// # Errors
    /// `resource_already_exists_exception`; `illegal_argument_exception` for a service or a model that cannot be had.
    pub fn put(
        &self,
        app: &AppState,
        task: Option<TaskType>,
        id: &str,
        body: &Map<String, Value>,
    ) -> EsResult<Endpoint> {
        if id.is_empty() || id.len() > 256 || id.chars().any(|char| char.is_whitespace() || char == '/' || char == ',')
        {
            return Err(EsError::illegal_argument(format!("Invalid inference_id; [{id}]")));
        }
        for key in body.keys() {
            if !matches!(key.as_str(), "service" | "service_settings" | "task_settings" | "chunking_settings") {
                return Err(EsError::parsing(format!("[inference] unknown field [{key}]")));
            }
        }
        match body.get("service").and_then(Value::as_str) {
            Some("elasticsearch" | "bifocal" | "hugging_face") => {}
            Some(other) => {
                return Err(EsError::unsupported(format!(
                    "the inference service [{other}] (models run in this process: use [elasticsearch] or [bifocal] with [model_id])"
                )));
            }
            None => return Err(EsError::parsing("[inference] requires [service]")),
        }
        let settings = body.get("service_settings").and_then(Value::as_object);
        let model_id = settings.and_then(|settings| settings.get("model_id")).and_then(Value::as_str);
        let endpoint = match (model_id, task) {
            (Some(model), task) => self.open(app, id, task, public_name(model))?,
            (None, Some(TaskType::Rerank)) => {
                let Some(model) = app.models.default_cross_encoder() else {
                    return Err(EsError::illegal_argument("there is no cross-encoder here; give [model_id]"));
                };
                self.open(app, id, task, &model)?
            }
            (None, _) => self.open(app, id, task, crate::models::DEFAULT_BI_ENCODER)?,
        };
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.contains_key(id) {
            return Err(EsError::new(
                400,
                "resource_already_exists_exception",
                format!("Inference endpoint [{id}] already exists"),
            ));
        }
        let mut changed = named.clone();
        changed.insert(id.to_string(), endpoint.clone());
        self.write(&changed)?;
        *named = changed;
        app.models.add_alias(id, &endpoint.model);
        Ok(endpoint)
    }

    fn open(&self, app: &AppState, id: &str, task: Option<TaskType>, model: &str) -> EsResult<Endpoint> {
        let refused = |error: crate::error::Error| {
            EsError::illegal_argument(format!(
                "the model [{model}] of inference endpoint [{id}] cannot be had: {error}"
            ))
        };
        if is_path(model) {
            return Err(EsError::illegal_argument(format!("[model_id] must be the name of a model, got [{model}]")));
        }
        let as_bi_encoder = || app.models.bi_encoder(model).map(|encoder| encoder.fingerprint().dims);
        let (task, dims) = match task {
            Some(TaskType::TextEmbedding) => (TaskType::TextEmbedding, as_bi_encoder().map_err(refused)?),
            Some(TaskType::Rerank) => {
                app.models.cross_encoder(model).map_err(refused)?;
                (TaskType::Rerank, 0)
            }
            None => match as_bi_encoder() {
                Ok(dims) => (TaskType::TextEmbedding, dims),
                Err(error) => {
                    app.models.cross_encoder(model).map_err(|_| refused(error))?;
                    (TaskType::Rerank, 0)
                }
            },
        };
        Ok(Endpoint { id: id.to_string(), task, model: model.to_string(), dims })
    }

    /// Takes a name back. Indices that were made by it keep their model.
    ///
    /// # Errors
    /// `resource_not_found_exception` for a name that was not put.
    pub fn delete(&self, id: &str) -> EsResult<()> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = named.clone();
        if changed.remove(id).is_none() {
            return Err(not_found(id));
        }
        self.write(&changed)?;
        *named = changed;
        Ok(())
    }

    fn write(&self, named: &BTreeMap<String, Endpoint>) -> EsResult<()> {
        let bytes =
            serde_json::to_vec_pretty(named).map_err(|error| EsError::new(500, "exception", error.to_string()))?;
        let folder = self.file.parent().unwrap_or(std::path::Path::new("."));
        let written = (|| {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            std::io::Write::write_all(&mut file, &bytes)?;
            file.as_file().sync_all()?;
            file.persist(&self.file).map_err(|error| error.error)?;
            fs_err::File::open(folder)?.sync_all()
        })();
        written.map_err(|error: std::io::Error| crate::error::Error::from(error).into())
    }
}

fn of_model(model: &crate::models::ModelInfo) -> Endpoint {
    let task = match model.description.kind {
        ModelKind::BiEncoder => TaskType::TextEmbedding,
        ModelKind::CrossEncoder => TaskType::Rerank,
    };
    let name = model.description.name.clone();
    Endpoint { id: name.clone(), task, model: name, dims: model.description.dims }
}

/// Elastic's preconfigured endpoints, for which the installation's own models stand; else a model of the machine that no list names.
fn default_for(app: &AppState, id: &str) -> EsResult<Endpoint> {
    let named = |task, model: String, dims| Ok(Endpoint { id: id.to_string(), task, model, dims });
    if id.starts_with(".rerank") {
        return match app.models.default_cross_encoder() {
            Some(model) => named(TaskType::Rerank, model, 0),
            None => Err(not_found(id)),
        };
    }
    let model = public_name(id);
    if is_path(model) {
        return Err(not_found(id));
    }
    if let Err(error) = app.models.check_is_here(model) {
        return Err(EsError::new(
            404,
            "resource_not_found_exception",
            format!("Inference endpoint not found [{id}]: {error}"),
        ));
    }
    match app.models.bi_encoder(model) {
        Ok(encoder) => named(TaskType::TextEmbedding, model.to_string(), encoder.fingerprint().dims),
        Err(_) => match app.models.cross_encoder(model) {
            Ok(_) => named(TaskType::Rerank, model.to_string(), 0),
            Err(_) => Err(not_found(id)),
        },
    }
}

/// The public name of a model that Elasticsearch ships under another one.
fn public_name(model: &str) -> &str {
    match model {
        ".multilingual-e5-small" | ".multilingual-e5-small_linux-x86_64" | ".multilingual-e5-small-elasticsearch" => {
            "intfloat/multilingual-e5-small"
        }
        other => other,
    }
}

/// Checks the name of a model in a search: one that is a folder's path is refused.
///
/// # Errors
/// `illegal_argument_exception` naming the part of the request.
pub(in crate::server::es) fn check_model_name(part: &str, name: &str) -> EsResult<()> {
    // Names of Elastic's own endpoints begin with a dot.
    let is_elastics = name.starts_with('.') && !name.contains(['/', '\\']);
    if is_path(name) && !is_elastics {
        return Err(EsError::illegal_argument(format!("[{part}] must be the name of a model, got [{name}]")));
    }
    Ok(())
}

/// Folders are for those who start the program, not for those who send requests.
fn is_path(model: &str) -> bool {
    model.starts_with(['/', '~', '.']) || model.contains('\\') || model.contains("..")
}

/// 404 for a name that no model has.
pub(in crate::server::es) fn not_found(id: &str) -> EsError {
    EsError::new(404, "resource_not_found_exception", format!("Inference endpoint not found [{id}]"))
}
