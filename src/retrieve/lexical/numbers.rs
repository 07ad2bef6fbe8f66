//! The numbers of a field, document by document: for functions, expressions and features.

use tantivy::columnar::Column;
use tantivy::{DocId, SegmentReader};

use crate::error::Result;
use crate::index::lexical::{FieldKind, LexicalField};

/// The values of a number, date or boolean field in one segment.
pub(super) enum Numbers {
    /// The segment has none.
    None,
    Integers(Column<i64>),
    Unsigned(Column<u64>),
    Floats(Column<f64>),
    Truths(Column<bool>),
}

impl Numbers {
    /// Opens a field's column.
    pub(super) fn open(reader: &SegmentReader, name: &str, kind: &FieldKind) -> tantivy::Result<Self> {
        let columns = reader.fast_fields();
        let opened = match kind {
            FieldKind::Long | FieldKind::Date => columns.column_opt::<i64>(name)?.map(Numbers::Integers),
            FieldKind::UnsignedLong => columns.column_opt::<u64>(name)?.map(Numbers::Unsigned),
            FieldKind::Double | FieldKind::RankFeature => columns.column_opt::<f64>(name)?.map(Numbers::Floats),
            FieldKind::Bool => columns.column_opt::<bool>(name)?.map(Numbers::Truths),
            FieldKind::Text { .. } | FieldKind::Keyword | FieldKind::Ip | FieldKind::Vector => None,
        };
        Ok(opened.unwrap_or(Numbers::None))
    }

    /// A document's values, ascending.
    pub(super) fn read(&self, doc: DocId, values: &mut Vec<f64>) {
        values.clear();
        match self {
            Numbers::None => {}
            Numbers::Integers(column) => values.extend(column.values_for_doc(doc).map(|value| value as f64)),
            Numbers::Unsigned(column) => values.extend(column.values_for_doc(doc).map(|value| value as f64)),
            Numbers::Floats(column) => values.extend(column.values_for_doc(doc)),
            Numbers::Truths(column) => {
                values.extend(column.values_for_doc(doc).map(|value| f64::from(u8::from(value))))
            }
        }
        if values.len() > 1 {
            values.sort_unstable_by(f64::total_cmp);
        }
    }

    /// A document's least value.
    pub(super) fn first(&self, doc: DocId) -> Option<f64> {
        let mut values = Vec::new();
        self.read(doc, &mut values);
        values.first().copied()
    }

    /// A document's least value as text, as Elasticsearch's field data print it.
    pub(super) fn first_text(&self, doc: DocId) -> Option<String> {
        match self {
            Numbers::None => None,
            Numbers::Integers(column) => column.values_for_doc(doc).min().map(|value| value.to_string()),
            Numbers::Unsigned(column) => column.values_for_doc(doc).min().map(|value| value.to_string()),
            Numbers::Floats(_) => self.first(doc).map(|value| format!("{value:?}")),
            Numbers::Truths(column) => column.values_for_doc(doc).min().map(|value| u8::from(value).to_string()),
        }
    }
}

/// What [`Numbers::open`] needs to know of a field.
#[derive(Debug, Clone)]
pub(super) struct NumberField {
    pub(super) name: String,
    pub(super) kind: FieldKind,
}

impl NumberField {
    pub(super) fn open(&self, reader: &SegmentReader) -> tantivy::Result<Numbers> {
        Numbers::open(reader, &self.name, &self.kind)
    }
}

impl super::LexicalSearcher {
    /// The field of numbers of this name, which must have a column.
    pub(super) fn number_field(&self, name: &str) -> Result<NumberField> {
        let field = self.field(name)?;
        if field.has_terms() {
            return Err(crate::error::Error::invalid_input("is no field of numbers, dates or booleans").in_field(name));
        }
        if !field.fast && !matches!(field.kind, FieldKind::RankFeature) {
            return Err(crate::error::Error::invalid_input(
                "has no column (`doc_values` is false), which functions of its value need",
            )
            .in_field(name));
        }
        Ok(NumberField { name: self.column_name(name, &field), kind: field.kind.clone() })
    }

    /// The name of a field's column: an alias has that of its field, a feature one of its own.
    pub(super) fn column_name(&self, name: &str, field: &LexicalField) -> String {
        match (&field.extra.mapping, &field.extra.key_prefix) {
            (Some(mapping), Some(key)) => format!("{}.{key}", mapping.path),
            (Some(_), None) => self.searcher().schema().get_field_name(field.field).to_string(),
            (None, _) => name.to_string(),
        }
    }
}
