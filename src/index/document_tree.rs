//! How a document is taken apart: one walk over its JSON, each value to the fields that want it.
//!
//! In: a mapping, once, and a document. Out: one [`Draft`] a Tantivy document, nested ones before those around them and the root last;
//! and whether the document has fields that the mapping lacks. PERF: the walk looks up each key of the document once, whatever the
//! size of the mapping, and copies nothing.

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::fields::IndexField;
use super::values::Fault;
use crate::error::{Error, Result};
use crate::schema::IndexDefinition;
use crate::schema::flatten::{FieldAlias, FieldKind};
use crate::schema::mapping::{Dynamic, FieldMapping, Properties, RESERVED_NAMES};

/// The mapping as a document's walk needs it.
#[derive(Debug, Clone)]
pub(crate) struct DocumentTree {
    root: Node,
    /// The paths of nested objects; scope `n + 1` is that of the n-th, scope 0 the root.
    nested: Vec<String>,
}

#[derive(Debug, Clone)]
struct Node {
    path: String,
    kind: NodeKind,
    children: FxHashMap<String, Node>,
}

#[derive(Debug, Clone)]
enum NodeKind {
    Object(Dynamic),
    Nested(Dynamic, usize),
    /// `enabled: false`: nothing inside is looked at.
    Disabled,
    Alias,
    Leaf(Leaf),
}

#[derive(Debug, Clone, Default)]
struct Leaf {
    /// The field itself, its multi-fields and those that it is copied into.
    targets: Vec<Target>,
    /// Arrays are values (vectors), not lists of values.
    takes_arrays: bool,
    /// It has no dimensions yet, or no constant value.
    is_open: bool,
    type_name: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    field_idx: usize,
    scope: usize,
    /// Its arrays are values.
    takes_arrays: bool,
}

/// What one Tantivy document gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft<'a> {
    /// 0 for the root, else one more than the place of the nested path.
    pub(crate) scope: usize,
    /// (place of the field, value), fields in order, the values of each as they stand in the document.
    pub(crate) values: Vec<(usize, &'a Value)>,
}

/// A document taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Walked<'a> {
    /// The root is the last.
    pub(crate) drafts: Vec<Draft<'a>>,
    /// The mapping lacks a field that it should get.
    pub(crate) needs_mapping: bool,
}

impl DocumentTree {
    pub(crate) fn new(
        definition: &IndexDefinition,
        fields: &[IndexField],
        nested: &[String],
        aliases: &[FieldAlias],
    ) -> Self {
        let mut targets: FxHashMap<&str, Vec<Target>> = FxHashMap::default();
        for (field_idx, field) in fields.iter().enumerate() {
            let definition = &field.definition;
            if matches!(definition.kind, FieldKind::SemanticText(_) | FieldKind::Binary) {
                continue;
            }
            let takes_arrays = matches!(definition.kind, FieldKind::DenseVector(_));
            let scope = |path: &str| nested.iter().position(|nested| nested == path).map_or(0, |place| place + 1);
            let own = definition.nested.as_deref().map_or(0, scope);
            let scopes = std::iter::once(own).chain(definition.included_in.iter().map(|path| scope(path)));
            let scopes: Vec<usize> = scopes.collect();
            for source in &definition.sources {
                let list = targets.entry(source).or_default();
                list.extend(scopes.iter().map(|scope| Target { field_idx, scope: *scope, takes_arrays }));
            }
        }
        let build = Build { fields, nested, targets };
        let root = build.object("", definition.mappings.dynamic_rule(), &definition.mappings.properties);
        let mut tree = Self { root, nested: nested.to_vec() };
        for alias in aliases {
            tree.root.insert(&alias.path, &alias.path, NodeKind::Alias);
        }
        tree
    }

    /// The paths of the nested objects, outer ones first.
    pub(crate) fn nested_paths(&self) -> &[String] {
        &self.nested
    }

    /// Takes a document apart.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown field where `dynamic` is `strict`, and where objects and values are mixed up.
    pub(crate) fn walk<'a>(&'a self, fields: &'a [IndexField], source: &'a Map<String, Value>) -> Result<Walked<'a>> {
        let mut walk = Walk {
            fields,
            source,
            open: vec![Draft { scope: 0, values: Vec::new() }],
            done: Vec::new(),
            needs_mapping: false,
        };
        walk.object(&self.root, dynamic_of(&self.root.kind), source)?;
        let Walk { open, mut done, needs_mapping, .. } = walk;
        done.extend(open);
        for draft in &mut done {
            draft.values.sort_by_key(|(field_idx, _)| *field_idx);
        }
        Ok(Walked { drafts: done, needs_mapping })
    }
}

struct Build<'a> {
    fields: &'a [IndexField],
    nested: &'a [String],
    targets: FxHashMap<&'a str, Vec<Target>>,
}

impl Build<'_> {
    fn object(&self, path: &str, dynamic: Dynamic, properties: &Properties) -> Node {
        let mut node = Node { path: path.to_string(), kind: NodeKind::Object(dynamic), children: FxHashMap::default() };
        for (name, mapping) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            node.children.insert(name.clone(), self.node(path, dynamic, mapping));
        }
        node
    }

    fn node(&self, path: String, dynamic: Dynamic, mapping: &FieldMapping) -> Node {
        #[expect(clippy::wildcard_enum_match_arm, reason = "every other type is a leaf")]
        let kind = match mapping {
            FieldMapping::Object(object) if object.enabled == Some(false) => NodeKind::Disabled,
            FieldMapping::Object(object) => {
                return self.object(&path, object.dynamic.unwrap_or(dynamic), &object.properties);
            }
            FieldMapping::Nested(nested) => {
                let dynamic = nested.dynamic.unwrap_or(dynamic);
                let mut node = self.object(&path, dynamic, &nested.properties);
                let place = self.nested.iter().position(|nested| *nested == path);
                node.kind = NodeKind::Nested(dynamic, place.map_or(0, |place| place + 1));
                return node;
            }
            FieldMapping::Alias(_) => NodeKind::Alias,
            _ => {
                let targets = self.targets.get(path.as_str()).cloned().unwrap_or_default();
                let own = self.fields.iter().find(|field| field.definition.path == path);
                NodeKind::Leaf(Leaf {
                    takes_arrays: targets.iter().any(|target| target.takes_arrays),
                    targets,
                    is_open: own.is_some_and(|field| is_open(&field.definition.kind)),
                    type_name: mapping.type_name(),
                })
            }
        };
        Node { path, kind, children: FxHashMap::default() }
    }
}

/// Whether the first document's value completes the mapping.
fn is_open(kind: &FieldKind) -> bool {
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other kind is completed by a document")]
    match kind {
        FieldKind::DenseVector(vector) => vector.dims.is_none(),
        FieldKind::Keyword { constant, .. } => matches!(constant, Some(None)),
        _ => false,
    }
}

fn dynamic_of(kind: &NodeKind) -> Dynamic {
    match kind {
        NodeKind::Object(dynamic) | NodeKind::Nested(dynamic, _) => *dynamic,
        NodeKind::Disabled | NodeKind::Alias | NodeKind::Leaf(_) => Dynamic::False,
    }
}

impl Node {
    fn insert(&mut self, rest: &str, path: &str, kind: NodeKind) {
        match rest.split_once('.') {
            Some((first, rest)) => {
                if let Some(child) = self.children.get_mut(first) {
                    child.insert(rest, path, kind);
                }
            }
            None => {
                let node = Node { path: path.to_string(), kind, children: FxHashMap::default() };
                self.children.insert(rest.to_string(), node);
            }
        }
    }
}

struct Walk<'a> {
    fields: &'a [IndexField],
    source: &'a Map<String, Value>,
    /// The root and the nested documents around the current place.
    open: Vec<Draft<'a>>,
    done: Vec<Draft<'a>>,
    needs_mapping: bool,
}

impl<'a> Walk<'a> {
    fn object(&mut self, node: &'a Node, dynamic: Dynamic, object: &'a Map<String, Value>) -> Result<()> {
        for (key, value) in object {
            match node.children.get(key.as_str()) {
                Some(child) => self.value(child, value)?,
                None => self.unknown_key(node, dynamic, key, value)?,
            }
        }
        Ok(())
    }

    /// A key that is no child: a path with dots, or a field that the mapping lacks.
    fn unknown_key(&mut self, node: &'a Node, mut dynamic: Dynamic, key: &'a str, value: &'a Value) -> Result<()> {
        let (mut at, mut rest) = (node, key);
        while let Some((first, after)) = rest.split_once('.') {
            let Some(child) = at.children.get(first) else { break };
            match &child.kind {
                NodeKind::Object(rule) => (at, rest, dynamic) = (child, after, *rule),
                NodeKind::Nested(rule, scope) => {
                    // One object of its own, as if the rest were inside of it.
                    let (rule, scope) = (*rule, *scope);
                    self.open.push(Draft { scope, values: Vec::new() });
                    let walked = match child.children.get(after) {
                        Some(inner) => self.value(inner, value),
                        None => self.unknown_key(child, rule, after, value),
                    };
                    self.done.extend(self.open.pop());
                    return walked;
                }
                NodeKind::Disabled => return Ok(()),
                NodeKind::Alias => return Err(write_to_alias(&child.path)),
                NodeKind::Leaf(leaf) => {
                    let path = join(&at.path, rest);
                    let reason = format!(
                        "Could not dynamically add mapping for field [{path}]. Existing mapping for [{}] must be of type \
                         object but found [{}].",
                        child.path, leaf.type_name
                    );
                    return Err(self.refuse(value, &path, "document_parsing_exception", &reason));
                }
            }
            if let Some(child) = at.children.get(rest) {
                return self.value(child, value);
            }
        }
        self.unknown(at, dynamic, rest, value)
    }

    fn unknown(&mut self, node: &Node, dynamic: Dynamic, name: &str, value: &Value) -> Result<()> {
        if node.path.is_empty() && RESERVED_NAMES.contains(&name) {
            let reason = format!(
                "Field [{name}] is a metadata field and cannot be added inside a document. Use the index API request parameters."
            );
            return Err(self.refuse(value, name, "document_parsing_exception", &reason));
        }
        match dynamic {
            Dynamic::False => Ok(()),
            Dynamic::Strict => {
                let within = if node.path.is_empty() { "_doc" } else { &node.path };
                let first = name.split('.').next().unwrap_or(name);
                let reason = format!(
                    "mapping set to strict, dynamic introduction of [{first}] within [{within}] is not allowed"
                );
                let path = join(&node.path, name);
                Err(self.refuse(value, &path, "strict_dynamic_mapping_exception", &reason))
            }
            Dynamic::True => {
                self.needs_mapping |= has_content(value);
                Ok(())
            }
        }
    }

    fn value(&mut self, node: &'a Node, value: &'a Value) -> Result<()> {
        match &node.kind {
            NodeKind::Disabled => Ok(()),
            NodeKind::Alias => Err(write_to_alias(&node.path)),
            NodeKind::Leaf(leaf) => self.leaf(leaf, value),
            NodeKind::Object(dynamic) => match value {
                Value::Null => Ok(()),
                Value::Object(object) => self.object(node, *dynamic, object),
                Value::Array(values) => values.iter().try_for_each(|value| self.value(node, value)),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(self.concrete(node, value)),
            },
            NodeKind::Nested(dynamic, scope) => match value {
                Value::Null => Ok(()),
                Value::Object(object) => {
                    self.open.push(Draft { scope: *scope, values: Vec::new() });
                    let walked = self.object(node, *dynamic, object);
                    self.done.extend(self.open.pop());
                    walked
                }
                Value::Array(values) => values.iter().try_for_each(|value| self.value(node, value)),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(self.concrete(node, value)),
            },
        }
    }

    fn leaf(&mut self, leaf: &'a Leaf, value: &'a Value) -> Result<()> {
        match value {
            Value::Null => {
                for target in &leaf.targets {
                    let null_value =
                        self.fields.get(target.field_idx).and_then(|field| field.definition.null_value.as_ref());
                    if let Some(null_value) = null_value {
                        self.push(*target, null_value);
                    }
                }
            }
            Value::Array(values) if !leaf.takes_arrays => {
                for value in values {
                    self.leaf(leaf, value)?;
                }
            }
            Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                self.needs_mapping |= leaf.is_open;
                for target in &leaf.targets {
                    // A vector may be copied into a field of another type too.
                    match value.as_array().filter(|_| !target.takes_arrays) {
                        Some(values) => values.iter().for_each(|value| self.push(*target, value)),
                        None => self.push(*target, value),
                    }
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, target: Target, value: &'a Value) {
        if let Some(draft) = self.open.iter_mut().rev().find(|draft| draft.scope == target.scope) {
            draft.values.push((target.field_idx, value));
        }
    }

    fn concrete(&self, node: &Node, value: &Value) -> Error {
        let name = node.path.rsplit('.').next().unwrap_or_default();
        let reason = format!(
            "object mapping for [{}] tried to parse field [{name}] as object, but found a concrete value",
            node.path
        );
        self.refuse(value, &node.path, "document_parsing_exception", &reason)
    }

    fn refuse(&self, value: &Value, path: &str, kind: &'static str, reason: &str) -> Error {
        let place = Fault::place(self.source, value);
        Error::invalid_input(reason).as_exception(kind, format!("{place}{reason}")).in_field(path)
    }
}

/// Whether a field that the mapping lacks would get one from this value.
fn has_content(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => values.iter().any(has_content),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => true,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

fn write_to_alias(path: &str) -> Error {
    let reason = format!("Cannot write to a field alias [{path}].");
    Error::invalid_input(reason.clone()).as_exception("document_parsing_exception", reason).in_field(path)
}
