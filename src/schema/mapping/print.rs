//! A mapping as Elasticsearch prints it: fields by name, defaults left out, but for those that it always prints.

use serde_json::{Map, Value};

use super::{ElementType, FieldMapping, Mappings, Properties};

impl Mappings {
    /// The mapping as `GET /index/_mapping` shows it below `mappings`; an empty object where there is nothing.
    pub fn to_value(&self) -> Value {
        let mut map = object(serde_json::to_value(self).unwrap_or_default());
        map.remove("properties");
        if !self.properties.is_empty() {
            map.insert("properties".to_string(), properties(&self.properties));
        }
        Value::Object(map)
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn properties(fields: &Properties) -> Value {
    let mut sorted: Vec<_> = fields.into_iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    Value::Object(sorted.into_iter().map(|(name, mapping)| (name.clone(), mapping.to_value())).collect())
}

impl FieldMapping {
    /// The field's mapping as Elasticsearch prints it.
    pub fn to_value(&self) -> Value {
        let mut map = object(serde_json::to_value(self).unwrap_or_default());
        if let Some(fields) = self.common().map(|common| common.multi_fields()).filter(|fields| !fields.is_empty()) {
            map.insert("fields".to_string(), properties(fields));
        }
        if let Some(inner) = self.properties() {
            map.remove("properties");
            // An object with fields is told by them.
            if matches!(self, FieldMapping::Object(_)) && !inner.is_empty() {
                map.remove("type");
            }
            if !inner.is_empty() {
                map.insert("properties".to_string(), properties(inner));
            }
        }
        match self {
            FieldMapping::Text(text) => {
                // What queries are analysed by is told together with what documents are.
                let differs = text.search_analyzer.is_some() || text.search_quote_analyzer.is_some();
                if text.analyzer.is_none() && differs {
                    map.insert("analyzer".to_string(), Value::from("default"));
                }
            }
            FieldMapping::SearchAsYouType(text) => {
                map.insert("doc_values".to_string(), Value::from(false));
                map.insert("max_shingle_size".to_string(), Value::from(text.max_shingle_size.unwrap_or(3)));
            }
            FieldMapping::DenseVector(vector) => {
                let indexed = vector.index.unwrap_or(true);
                map.insert("index".to_string(), Value::from(indexed));
                if indexed {
                    let similarity = serde_json::to_value(vector.similarity.unwrap_or_default());
                    map.insert("similarity".to_string(), similarity.unwrap_or_default());
                    let options =
                        vector.index_options.or((vector.element_type == ElementType::Float).then(Default::default));
                    if let Some(mut options) = options {
                        use super::VectorIndexKind as Kind;
                        if matches!(options.kind, Kind::Hnsw | Kind::Int8Hnsw) {
                            options.m.get_or_insert(16);
                            options.ef_construction.get_or_insert(100);
                        }
                        map.insert("index_options".to_string(), serde_json::to_value(options).unwrap_or_default());
                    }
                }
            }
            FieldMapping::Keyword(_)
            | FieldMapping::ConstantKeyword(_)
            | FieldMapping::Wildcard(_)
            | FieldMapping::Long(_)
            | FieldMapping::Integer(_)
            | FieldMapping::Short(_)
            | FieldMapping::Byte(_)
            | FieldMapping::UnsignedLong(_)
            | FieldMapping::Double(_)
            | FieldMapping::Float(_)
            | FieldMapping::HalfFloat(_)
            | FieldMapping::ScaledFloat(_)
            | FieldMapping::Boolean(_)
            | FieldMapping::Date(_)
            | FieldMapping::Ip(_)
            | FieldMapping::Object(_)
            | FieldMapping::Nested(_)
            | FieldMapping::Flattened(_)
            | FieldMapping::RankFeature(_)
            | FieldMapping::RankFeatures(_)
            | FieldMapping::TokenCount(_)
            | FieldMapping::Binary(_)
            | FieldMapping::SemanticText(_)
            | FieldMapping::Alias(_) => {}
        }
        Value::Object(map)
    }
}
