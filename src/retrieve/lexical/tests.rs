//! The lexical leg against Lucene's recorded answers, and against scores computed document by document.

use std::sync::OnceLock;

use proptest::prelude::*;
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions};
use tantivy::{IndexWriter, TantivyDocument};

use super::*;
use crate::index::columns::ColumnsPlugin;
use crate::index::lexical::bm25::{self, Bm25Params};
use crate::index::lexical::{Analyzer, FieldKind, LexicalField, encoded_tokens};
use crate::retrieve::query::{
    BoolQuery, BoostedField, FieldName, IdsQuery, MatchQuery, MinimumShouldMatch, Operator, RangeQuery, TermValue,
};

/// A document of the tests.
#[derive(Debug, Clone, Default, serde::Deserialize)]
struct Doc {
    title: Option<String>,
    body: String,
    #[serde(default)]
    tag: Vec<String>,
    #[serde(default)]
    year: Option<i64>,
}

fn text_options(record: IndexRecordOption, tokenizer: &str) -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(record).set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing)
}

/// An index in memory of one segment a slice; then documents are deleted by their number.
fn searcher(segments: &[&[Doc]], deleted: &[usize], analyzer: &str, body: Bm25Params) -> LexicalSearcher {
    let mut schema = Schema::builder();
    let keyword = || text_options(IndexRecordOption::Basic, "raw");
    let text = || text_options(IndexRecordOption::WithFreqsAndPositions, encoded_tokens::ENCODED_TOKENS_TOKENIZER);
    let id = schema.add_text_field("_id", keyword());
    let title = schema.add_text_field("title", text());
    let body_field = schema.add_text_field("body", text());
    let tag = schema.add_text_field("tag", keyword().set_fast("raw"));
    let year = schema.add_i64_field("year", NumericOptions::default().set_fast().set_indexed());
    let index =
        tantivy::Index::builder().schema(schema.build()).register_plugin(Arc::new(ColumnsPlugin)).create_in_ram();
    let index = index.unwrap();
    encoded_tokens::register_tokenizer(&index);
    let analyzer = Analyzer::named(analyzer).unwrap();
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let mut number = 0;
    for docs in segments {
        for doc in *docs {
            let mut document = TantivyDocument::new();
            document.add_text(id, number.to_string());
            if let Some(text) = &doc.title {
                document.add_text(title, analyzer.encode_values(&[text]));
            }
            document.add_text(body_field, analyzer.encode_values(&[&doc.body]));
            doc.tag.iter().for_each(|value| document.add_text(tag, value));
            doc.year.iter().for_each(|&value| document.add_i64(year, value));
            writer.add_document(document).unwrap();
            number += 1;
        }
        writer.commit().unwrap();
    }
    for number in deleted {
        writer.delete_term(Term::from_field_text(id, &number.to_string()));
    }
    writer.commit().unwrap();

    let mut fields = FieldTable::new(Some(id));
    let text = |bm25| FieldKind::Text { analyzer: analyzer.clone(), search_analyzer: analyzer.clone(), bm25 };
    for (name, field, kind, fast) in [
        ("title", title, text(Bm25Params::default()), false),
        ("body", body_field, text(body), false),
        ("tag", tag, FieldKind::Keyword, true),
        ("year", year, FieldKind::Long, true),
    ] {
        fields.insert(name, LexicalField::new(field, kind, true, fast));
    }
    LexicalSearcher::open(index.reader().unwrap().searcher(), Arc::new(fields)).unwrap()
}

fn ids(searcher: &LexicalSearcher, hits: &[ScoredDoc]) -> Vec<(String, f32)> {
    hits.iter().map(|hit| (searcher.id(hit.address).unwrap().to_string(), hit.score)).collect()
}

fn lucene_documents() -> Vec<Doc> {
    serde_json::from_str(include_str!("../../../fixtures/lucene/documents.json")).unwrap()
}

fn lucene_searcher() -> LexicalSearcher {
    let docs = lucene_documents();
    let (first, second) = docs.split_at(6);
    searcher(&[first, second], &[4], "english", Bm25Params::new(0.9, 0.4).unwrap())
}

#[derive(serde::Deserialize)]
struct Golden {
    query: Query,
    hits: Vec<(String, f32)>,
}

#[test]
fn hits_and_scores_are_those_of_lucene() {
    let searcher = lucene_searcher();
    for line in include_str!("../../../fixtures/lucene/scores.jsonl").lines() {
        let golden: Golden = serde_json::from_str(line).unwrap();
        let found = ids(&searcher, &searcher.top(&golden.query, 20, None).unwrap());
        let names = |hits: &[(String, f32)]| hits.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found), names(&golden.hits), "{line}\n{found:?}");
        for ((_, ours), (_, lucenes)) in found.iter().zip(&golden.hits) {
            assert!((ours - lucenes).abs() <= lucenes * 1e-6, "{line}\n{found:?}");
        }
        assert_eq!(searcher.count(&golden.query).unwrap(), golden.hits.len() as u64, "{line}");
    }
}

#[test]
fn one_documents_score_and_explanation_agree_with_the_search() {
    let searcher = lucene_searcher();
    for line in include_str!("../../../fixtures/lucene/scores.jsonl").lines() {
        let golden: Golden = serde_json::from_str(line).unwrap();
        for hit in searcher.top(&golden.query, 20, None).unwrap() {
            let alone = searcher.score(&golden.query, hit.address).unwrap().unwrap();
            assert!((alone - hit.score).abs() <= hit.score * 1e-6, "{line}");
            let explanation = searcher.explain(&golden.query, hit.address).unwrap().unwrap();
            assert!((explanation.value - f64::from(hit.score)).abs() < 1e-5, "{line}: {explanation:?}");
            if matches!(golden.query, Query::Match(_) | Query::Bool(_)) {
                let sum: f64 = explanation.details.iter().map(|detail| detail.value).sum();
                assert!((sum - explanation.value).abs() < 1e-5, "{line}: {explanation:?}");
            }
        }
    }
    assert_eq!(searcher.score(&Query::words_in("body", "hypersonic"), DocAddress::new(0, 0)).unwrap(), None);
}

#[test]
fn values_ranges_ids_and_existence() {
    let docs: Vec<Doc> = (0..10)
        .map(|n| Doc {
            title: (n % 2 == 0).then(|| "even".to_string()),
            body: "x".to_string(),
            tag: if n == 3 { vec![] } else { vec![format!("t{n}")] },
            year: (n != 5).then_some(2000 + n),
        })
        .collect();
    let searcher = searcher(&[&docs[..4], &docs[4..]], &[9], "standard", Bm25Params::default());
    let range = |gte: Option<TermValue>, lt: Option<TermValue>, field: &str| {
        Query::Range(RangeQuery { field: field.into(), gte, lt, ..RangeQuery::default() })
    };
    let exists = |field: &str| Query::Exists(FieldName { field: field.into() });
    let not = |query| Query::Bool(BoolQuery { must_not: vec![query], ..BoolQuery::default() });
    for (query, expected) in [
        (Query::MatchAll, "012345678"),
        (Query::MatchNone, ""),
        (range(Some(TermValue::Integer(2002)), Some("2005".into()), "year"), "234"),
        (range(Some(TermValue::Float(2006.5)), None, "year"), "78"),
        (range(None, Some("t2".into()), "tag"), "01"),
        (range(None, None, "year"), "01234678"),
        (Query::term("year", TermValue::Integer(2007)), "7"),
        (Query::words_in("year", "2007"), "7"),
        (Query::words_in("year", "soon"), ""),
        (exists("title"), "02468"),
        (exists("tag"), "01245678"),
        (exists("year"), "01234678"),
        (not(exists("title")), "1357"),
        (Query::Ids(IdsQuery { values: ["1", "9", "77", "4"].map(String::from).to_vec() }), "14"),
        (Query::words_in("tag", "t4").filtered(vec![exists("title")]), "4"),
    ] {
        let mut found = ids(&searcher, &searcher.top(&query, 100, None).unwrap());
        found.sort_by(|left, right| left.0.cmp(&right.0));
        let found: String = found.into_iter().map(|(id, _)| id).collect();
        assert_eq!(found, expected, "{query:?}");
        assert_eq!(searcher.count(&query).unwrap(), expected.len() as u64);
    }
    for (query, kind) in [
        (Query::term("colour", "red"), crate::ErrorKind::NotFound),
        (Query::term("year", "soon"), crate::ErrorKind::InvalidInput),
        (Query::words("x").boosted(f32::NAN), crate::ErrorKind::InvalidInput),
        (Query::words("x").boosted(-1.0), crate::ErrorKind::InvalidInput),
    ] {
        assert_eq!(searcher.top(&query, 10, None).unwrap_err().kind(), kind, "{query:?}");
    }
}

/// A corpus large enough for several windows, with words of very different frequencies, in three segments with deletes.
struct Corpus {
    docs: Vec<Doc>,
    deleted: Vec<usize>,
    bounds: [usize; 4],
    searcher: LexicalSearcher,
}

const NUM_WORDS: u64 = 40;

fn corpus() -> &'static Corpus {
    static CORPUS: OnceLock<Corpus> = OnceLock::new();
    CORPUS.get_or_init(|| {
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut words = |most: u64| {
            let length = 1 + random(most);
            // The square makes the first words frequent and the last rare.
            let word =
                |random: &mut dyn FnMut(u64) -> u64| format!("w{}", random(NUM_WORDS) * random(NUM_WORDS) / NUM_WORDS);
            (0..length).map(|_| word(&mut random)).collect::<Vec<_>>().join(" ")
        };
        let docs: Vec<Doc> = (0..7000)
            .map(|n| Doc {
                title: (n % 3 != 0).then(|| words(4)),
                body: if n % 50 == 0 { words(300) } else { words(12) },
                ..Doc::default()
            })
            .collect();
        let bounds = [0, 5000, 6900, 7000];
        let deleted: Vec<usize> = (0..docs.len()).filter(|n| n % 11 == 4).collect();
        let segments: Vec<&[Doc]> = bounds.windows(2).map(|pair| &docs[pair[0]..pair[1]]).collect();
        let searcher = searcher(&segments, &deleted, "whitespace", Bm25Params::default());
        Corpus { docs: docs.clone(), deleted, bounds, searcher }
    })
}

impl Corpus {
    fn address(&self, number: usize) -> DocAddress {
        let segment = self.bounds.iter().rposition(|&bound| bound <= number).unwrap().min(2);
        DocAddress::new(u32::try_from(segment).unwrap(), u32::try_from(number - self.bounds[segment]).unwrap())
    }

    fn text<'d>(doc: &'d Doc, field: &str) -> Option<&'d str> {
        if field == "title" { doc.title.as_deref() } else { Some(&doc.body) }
    }

    /// Scores every document by the formula, from its text.
    fn brute_force(&self, query: &MatchQuery, params: Bm25Params, filter: impl Fn(usize) -> bool) -> Vec<ScoredDoc> {
        let words: Vec<&str> = query.text.split(' ').collect();
        let required = match (query.operator, query.minimum_should_match) {
            (Operator::And, None) => words.len(),
            (_, Some(minimum)) => minimum.resolve(words.len()).max(1),
            (Operator::Or, None) => 1,
        };
        let statistics: Vec<FieldStatistics> = query
            .fields
            .iter()
            .map(|field| {
                let lengths = self
                    .docs
                    .iter()
                    .filter_map(|doc| Self::text(doc, &field.field))
                    .map(|text| text.split(' ').count());
                let (num_docs, total) = lengths.fold((0, 0), |(docs, total), length| (docs + 1, total + length as u64));
                FieldStatistics::new(num_docs, total, params)
            })
            .collect();
        let count = |doc: &Doc, field: &str, word: &str| {
            Self::text(doc, field).map_or(0, |text| text.split(' ').filter(|&other| other == word).count())
        };
        let mut different = words.clone();
        different.sort_unstable();
        different.dedup();
        let mut weights = Vec::new();
        for word in &different {
            for (field, statistics) in query.fields.iter().zip(&statistics) {
                let doc_freq = self.docs.iter().filter(|doc| count(doc, &field.field, word) > 0).count() as u64;
                let repeats = words.iter().filter(|other| *other == word).count();
                let weight = statistics.weight(field.boost, statistics.idf(doc_freq));
                weights.push((*word, field, statistics, (0..repeats).fold(0.0, |sum, _| sum + weight)));
            }
        }
        let mut scored = Vec::new();
        for (number, doc) in self.docs.iter().enumerate() {
            let found =
                words.iter().filter(|word| query.fields.iter().any(|field| count(doc, &field.field, word) > 0)).count();
            if found < required || self.deleted.contains(&number) || !filter(number) {
                continue;
            }
            let mut sum = 0.0_f64;
            for (word, field, statistics, weight) in &weights {
                let freq = count(doc, &field.field, word);
                if freq > 0 {
                    let length = Self::text(doc, &field.field).map_or(0, |text| text.split(' ').count());
                    let byte = tantivy::fieldnorm::FieldNormReader::fieldnorm_to_id(u32::try_from(length).unwrap());
                    sum += f64::from(bm25::score(*weight, statistics.norm_inverses[usize::from(byte)], freq as f32));
                }
            }
            #[expect(clippy::cast_possible_truncation, reason = "as the engine rounds")]
            scored.push(ScoredDoc { score: sum as f32, address: self.address(number) });
        }
        scored.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.address.cmp(&right.address)));
        scored
    }
}

fn any_match() -> impl Strategy<Value = MatchQuery> {
    let word = (0..NUM_WORDS, 0..NUM_WORDS).prop_map(|(a, b)| format!("w{}", a * b / (NUM_WORDS - 6)));
    let boost = prop_oneof![Just(1.0_f32), 0.1_f32..5.0];
    let fields = prop_oneof![
        boost.clone().prop_map(|boost| vec![BoostedField { field: "body".into(), boost }]),
        (boost.clone(), boost).prop_map(|(title, body)| vec![
            BoostedField { field: "title".into(), boost: title },
            BoostedField { field: "body".into(), boost: body },
        ]),
    ];
    let requirement = prop_oneof![
        4 => Just((Operator::Or, None)),
        1 => Just((Operator::And, None)),
        1 => (1_i32..4).prop_map(|count| (Operator::Or, Some(MinimumShouldMatch::Count(count)))),
    ];
    (prop::collection::vec(word, 1..7), fields, requirement).prop_map(
        |(words, fields, (operator, minimum_should_match))| MatchQuery {
            fields,
            text: words.join(" "),
            operator,
            minimum_should_match,
            fuzziness: None,
            analyzer: None,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_best_of_a_union_are_those_of_brute_force(
        query in any_match(),
        k1 in prop_oneof![Just(1.2_f32), 0.0_f32..3.0],
        b in prop_oneof![Just(0.75_f32), 0.0_f32..=1.0],
        depth in prop_oneof![Just(10_usize), 1_usize..400],
        every in prop_oneof![Just(1_usize), Just(3), Just(97)],
    ) {
        let corpus = corpus();
        let params = Bm25Params::new(k1, b).unwrap();
        let searcher = corpus.searcher.with_bm25(|_| Ok(params)).unwrap();
        let mut filter: Vec<BitSet> =
            corpus.bounds.windows(2).map(|pair| BitSet::with_max_value(u32::try_from(pair[1] - pair[0]).unwrap())).collect();
        for number in (0..corpus.docs.len()).step_by(every) {
            let address = corpus.address(number);
            filter[address.segment_ord as usize].insert(address.doc_id);
        }
        let filter = (every > 1).then_some(filter.as_slice());
        let mut expected = corpus.brute_force(&query, params, |number| number % every == 0);
        expected.truncate(depth);
        let tree = Query::Match(query.clone());
        let found = searcher.top(&tree, depth, filter).unwrap();
        prop_assert_eq!(found.len(), expected.len());
        for (ours, other) in found.iter().zip(&expected) {
            prop_assert_eq!(ours.score, other.score, "{:?} {:?} of {:?}", ours, other, &query);
            prop_assert_eq!(ours.address, other.address);
        }
        // The general way, by Tantivy's queries, agrees but for the rounding of sums.
        let general = Query::Bool(BoolQuery { must: vec![tree], ..BoolQuery::default() });
        let compiled = searcher.top(&general, depth, filter).unwrap();
        prop_assert_eq!(compiled.len(), found.len());
        for (ours, other) in compiled.iter().zip(&found) {
            prop_assert!((ours.score - other.score).abs() <= 1e-5 * other.score.max(1.0), "{:?} {:?}", ours, other);
        }
    }
}
