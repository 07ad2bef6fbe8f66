//! Parts of a query to the query tree, or back to plain text.

use super::parser::{Group, Part};
use crate::index::lexical::{FieldKind, FieldTable};
use crate::retrieve::query::{
    BoolQuery, BoostedField, FieldName, Fuzziness, MatchQuery, PatternQuery, PhraseQuery, Query, RangeQuery, TermValue,
};

/// The query of a part.
pub(super) fn to_query(part: Part, fields: &FieldTable, defaults: &[BoostedField]) -> Query {
    match part {
        Part::Words { text, .. } if text.trim().is_empty() => Query::MatchNone,
        Part::Words { field, text } => words(field, text, None),
        Part::Phrase { field, text, slop } => {
            Query::Phrase(PhraseQuery { fields: in_field(field), text, slop, prefix: false, analyzer: None })
        }
        Part::Prefix { field, text } => prefix(field, &text, fields, defaults),
        Part::Fuzzy { field, text, edits } => {
            words(field, text, Some(edits.map_or(Fuzziness::Auto, |edits| Fuzziness::Edits(edits.min(2)))))
        }
        Part::Range { field, lower, upper } => range(field, lower, upper),
        Part::Exists { field } => Query::Exists(FieldName { field }),
        Part::Everything => Query::MatchAll,
        Part::Group(group) => combination(group, fields, defaults),
        Part::Boosted(part, factor) => to_query(*part, fields, defaults).boosted(factor),
    }
}

fn in_field(field: Option<String>) -> Vec<BoostedField> {
    field.into_iter().map(|field| BoostedField { field, boost: 1.0 }).collect()
}

fn words(field: Option<String>, text: String, fuzziness: Option<Fuzziness>) -> Query {
    Query::Match(MatchQuery { fields: in_field(field), text, fuzziness, ..MatchQuery::default() })
}

/// The beginning of a word is not analysed, only brought to the case of the field's terms.
fn prefix(field: Option<String>, text: &str, fields: &FieldTable, defaults: &[BoostedField]) -> Query {
    let named = in_field(field);
    let wanted = if named.is_empty() { defaults } else { &named };
    let mut queries: Vec<Query> = wanted
        .iter()
        .filter_map(|wanted| {
            let field = fields.get(&wanted.field).filter(|field| field.indexed)?;
            let text = match &field.kind {
                FieldKind::Text { search_analyzer, .. } => search_analyzer.normalize(text),
                FieldKind::Keyword => text.to_string(),
                FieldKind::Long
                | FieldKind::UnsignedLong
                | FieldKind::Double
                | FieldKind::Bool
                | FieldKind::Date
                | FieldKind::Ip
                | FieldKind::RankFeature
                | FieldKind::Vector => return None,
            };
            let query = Query::Prefix(PatternQuery::new(&wanted.field, text));
            Some(if wanted.boost == 1.0 { query } else { query.boosted(wanted.boost) })
        })
        .collect();
    match queries.len() {
        0 => Query::MatchNone,
        1 => queries.remove(0),
        _ => Query::Bool(BoolQuery { should: queries, ..BoolQuery::default() }),
    }
}

fn range(field: String, lower: Option<(String, bool)>, upper: Option<(String, bool)>) -> Query {
    let mut range = RangeQuery { field, ..RangeQuery::default() };
    match lower {
        Some((value, true)) => range.gte = Some(TermValue::Text(value)),
        Some((value, false)) => range.gt = Some(TermValue::Text(value)),
        None => {}
    }
    match upper {
        Some((value, true)) => range.lte = Some(TermValue::Text(value)),
        Some((value, false)) => range.lt = Some(TermValue::Text(value)),
        None => {}
    }
    Query::Range(range)
}

fn combination(group: Group, fields: &FieldTable, defaults: &[BoostedField]) -> Query {
    let convert = |parts: Vec<Part>| parts.into_iter().map(|part| to_query(part, fields, defaults)).collect();
    Query::Bool(BoolQuery {
        must: convert(group.must),
        should: convert(group.should),
        must_not: convert(group.must_not),
        ..BoolQuery::default()
    })
}

/// The words of a part, without what is excluded and without values.
pub(super) fn to_text(part: &Part) -> String {
    let mut texts = Vec::new();
    collect(part, &mut texts);
    texts.join(" ")
}

fn collect<'p>(part: &'p Part, texts: &mut Vec<&'p str>) {
    match part {
        Part::Words { text, .. } | Part::Phrase { text, .. } | Part::Prefix { text, .. } | Part::Fuzzy { text, .. } => {
            if !text.trim().is_empty() {
                texts.push(text);
            }
        }
        Part::Range { .. } | Part::Exists { .. } | Part::Everything => {}
        Part::Group(group) => group.must.iter().chain(&group.should).for_each(|part| collect(part, texts)),
        Part::Boosted(part, _) => collect(part, texts),
    }
}
