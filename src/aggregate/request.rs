//! What to aggregate: plain types, with every default filled in by whoever reads the request.

use serde_json::{Map, Value};

use super::key::Key;
use super::rounding::Rounding;
use crate::retrieve::query::{Query, TermValue};

/// A named aggregation and what is computed for each of its buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    /// The name by which the answer calls it.
    pub name: String,
    /// What it computes.
    pub kind: AggregationKind,
    /// Computed for each bucket; in the order of the request.
    pub aggs: Vec<Aggregation>,
    /// Handed back untouched.
    pub meta: Option<Map<String, Value>>,
}

/// Where values come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ValueSource {
    /// The field; one that the index lacks has no values.
    pub field: String,
    /// The value of documents that have none.
    pub missing: Option<TermValue>,
    /// How values are printed; `None` for the field's own way.
    pub format: Option<String>,
    /// The time zone in which dates are printed.
    pub time_zone: Option<String>,
    /// What the values are where the index lacks the field.
    pub value_type: Option<ValueType>,
}

/// What values are where no mapping says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Text.
    Text,
    /// Whole numbers.
    Long,
    /// Numbers.
    Double,
    /// Dates.
    Date,
    /// Addresses.
    Ip,
    /// Booleans.
    Boolean,
}

/// What an aggregation computes.
#[derive(Debug, Clone, PartialEq)]
pub enum AggregationKind {
    /// A bucket a value, the largest ones.
    Terms(Terms),
    /// A bucket a value, those that few documents have.
    RareTerms(RareTerms),
    /// A bucket a combination of values.
    MultiTerms(MultiTerms),
    /// A bucket a value, those that stand out against a background.
    SignificantTerms(SignificantTerms),
    /// A bucket an interval of numbers.
    Histogram(Histogram),
    /// A bucket an interval of time.
    DateHistogram(DateHistogram),
    /// A bucket a range of numbers or dates.
    Range(Range),
    /// A bucket a range of addresses.
    IpRange(IpRange),
    /// One bucket of what a query matches.
    Filter(Box<Query>),
    /// A bucket a query.
    Filters(Filters),
    /// A bucket a query and a pair of queries.
    AdjacencyMatrix(AdjacencyMatrix),
    /// One bucket of the documents without a value.
    Missing(ValueSource),
    /// One bucket of all documents.
    Global,
    /// One bucket of the nested objects at a path.
    Nested {
        /// The path of the nested field.
        path: String,
    },
    /// One bucket of the documents that nested objects belong to.
    ReverseNested {
        /// The path of an outer nested field; `None` for the documents themselves.
        path: Option<String>,
    },
    /// One bucket of the best documents.
    Sampler {
        /// So many documents an index.
        shard_size: usize,
    },
    /// Every combination of values, page by page.
    Composite(Composite),
    /// The best documents.
    TopHits(TopHits),
    /// Values of the first documents in an order.
    TopMetrics(TopMetrics),
    /// The mean.
    Avg(ValueSource),
    /// The sum.
    Sum(ValueSource),
    /// The least value.
    Min(ValueSource),
    /// The greatest value.
    Max(ValueSource),
    /// Count, least, greatest, mean and sum.
    Stats(ValueSource),
    /// As `Stats`, with squares and deviations.
    ExtendedStats {
        /// The values.
        source: ValueSource,
        /// So many standard deviations make the bounds.
        sigma: f64,
    },
    /// How many values.
    ValueCount(ValueSource),
    /// How many different values.
    Cardinality {
        /// The values.
        source: ValueSource,
        /// Exact up to this many.
        precision_threshold: usize,
    },
    /// Values below which given parts of all lie.
    Percentiles {
        /// The values.
        source: ValueSource,
        /// The parts, in percent, ascending.
        percents: Vec<f64>,
        /// Whether the answer is an object.
        keyed: bool,
        /// The fineness of the digest.
        compression: f64,
    },
    /// Parts of all that lie below given values.
    PercentileRanks {
        /// The values.
        source: ValueSource,
        /// The bounds.
        values: Vec<f64>,
        /// Whether the answer is an object.
        keyed: bool,
        /// The fineness of the digest.
        compression: f64,
    },
    /// The median of the distances from the median.
    MedianAbsoluteDeviation {
        /// The values.
        source: ValueSource,
        /// The fineness of the digest.
        compression: f64,
    },
    /// Quartiles and whiskers.
    Boxplot {
        /// The values.
        source: ValueSource,
        /// The fineness of the digest.
        compression: f64,
    },
    /// The mean of values that count unequally.
    WeightedAvg {
        /// The values.
        value: ValueSource,
        /// How much each counts.
        weight: ValueSource,
    },
    /// Lengths and entropy of texts.
    StringStats {
        /// The texts.
        source: ValueSource,
        /// Whether the answer has the part of each letter.
        show_distribution: bool,
    },
    /// Computed from the results of others.
    Pipeline(Pipeline),
}

/// Which of the buckets are larger.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketOrder {
    /// By what.
    pub by: OrderBy,
    /// The largest first.
    pub descending: bool,
}

/// By what buckets are ordered.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderBy {
    /// The number of documents.
    Count,
    /// The key.
    Key,
    /// A number of a sub-aggregation: names from outside to inside, then the figure (`stats.avg`).
    Path(Path),
}

/// A way to a number: the names of single-bucket aggregations and of a metric, and one of its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Names, from outside to inside; the last may be `_count` or `_key`.
    pub names: Vec<String>,
    /// The figure (`avg`, `99`).
    pub property: Option<String>,
}

impl Path {
    /// Reads `a>b.c` and `a>b[c]`.
    pub fn parse(text: &str) -> Self {
        let mut names: Vec<String> = text.split('>').map(|name| name.trim().to_string()).collect();
        let mut property = None;
        if let Some(last) = names.last_mut() {
            if let Some((name, rest)) = last.clone().split_once('[') {
                property = Some(rest.trim_end_matches(']').trim_matches(['\'', '"']).to_string());
                *last = name.to_string();
            } else if let Some((name, rest)) = split_property(&last.clone()) {
                property = Some(rest.to_string());
                *last = name.to_string();
            }
        }
        Self { names, property }
    }
}

/// The name and what follows its last point; numbers and the names of bounds have points of their own.
fn split_property(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.rsplit_once('.')?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match name.rsplit_once('.') {
        Some((outer, part)) if part == "std_deviation_bounds" || is_number(part) && is_number(rest) => {
            Some((outer, text.get(outer.len() + 1..)?))
        }
        _ => Some((name, rest)),
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.names.join(">"))?;
        self.property.as_ref().map_or(Ok(()), |property| write!(f, ".{property}"))
    }
}

/// Which values make buckets.
#[derive(Debug, Clone, Default)]
pub struct IncludeExclude {
    /// Only these.
    pub include: Option<ValuePattern>,
    /// Not these.
    pub exclude: Option<ValuePattern>,
    /// Only the values whose hash falls on a partition: its number, and how many there are.
    pub partition: Option<(u32, u32)>,
}

impl PartialEq for IncludeExclude {
    fn eq(&self, other: &Self) -> bool {
        let text = |pattern: &Option<ValuePattern>| match pattern {
            Some(ValuePattern::Regex(regex)) => Some(vec![regex.as_str().to_string()]),
            Some(ValuePattern::Values(values)) => Some(values.clone()),
            None => None,
        };
        text(&self.include) == text(&other.include)
            && text(&self.exclude) == text(&other.exclude)
            && self.partition == other.partition
    }
}

/// A set of values.
#[derive(Debug, Clone)]
pub enum ValuePattern {
    /// Those that a regular expression matches as a whole.
    Regex(regex::Regex),
    /// These, as texts.
    Values(Vec<String>),
}

/// [`AggregationKind::Terms`].
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The values.
    pub source: ValueSource,
    /// So many buckets are returned.
    pub size: usize,
    /// So many are taken from each index.
    pub shard_size: usize,
    /// Smaller buckets are left out.
    pub min_doc_count: u64,
    /// Smaller buckets are left out in each index.
    pub shard_min_doc_count: u64,
    /// The order; ties go by ascending key.
    pub order: Vec<BucketOrder>,
    /// Which values.
    pub values: IncludeExclude,
    /// Whether each bucket says how wrong it may be.
    pub show_error: bool,
}

/// [`AggregationKind::RareTerms`].
#[derive(Debug, Clone, PartialEq)]
pub struct RareTerms {
    /// The values.
    pub source: ValueSource,
    /// Values of more documents are not rare.
    pub max_doc_count: u64,
    /// Which values.
    pub values: IncludeExclude,
}

/// [`AggregationKind::MultiTerms`].
#[derive(Debug, Clone, PartialEq)]
pub struct MultiTerms {
    /// The values that are combined.
    pub sources: Vec<ValueSource>,
    /// So many buckets are returned.
    pub size: usize,
    /// So many are taken from each index.
    pub shard_size: usize,
    /// Smaller buckets are left out.
    pub min_doc_count: u64,
    /// Smaller buckets are left out in each index.
    pub shard_min_doc_count: u64,
    /// The order; ties go by ascending key.
    pub order: Vec<BucketOrder>,
    /// Whether each bucket says how wrong it may be.
    pub show_error: bool,
}

/// [`AggregationKind::SignificantTerms`].
#[derive(Debug, Clone, PartialEq)]
pub struct SignificantTerms {
    /// The values.
    pub source: ValueSource,
    /// So many buckets are returned.
    pub size: usize,
    /// So many are taken from each index.
    pub shard_size: usize,
    /// Smaller buckets are left out.
    pub min_doc_count: u64,
    /// Smaller buckets are left out in each index.
    pub shard_min_doc_count: u64,
    /// How much a value stands out.
    pub heuristic: Heuristic,
    /// Against what; `None` for the whole index.
    pub background: Option<Box<Query>>,
    /// Which values.
    pub values: IncludeExclude,
}

/// How much a value stands out against its background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heuristic {
    /// Change times ratio.
    Jlh,
    /// Pearson's chi squared.
    ChiSquare {
        /// Values that are rarer than in the background count too.
        include_negatives: bool,
        /// The background holds the documents that are looked at.
        background_is_superset: bool,
    },
    /// Google's normalised distance.
    Gnd {
        /// The background holds the documents that are looked at.
        background_is_superset: bool,
    },
    /// Mutual information.
    MutualInformation {
        /// Values that are rarer than in the background count too.
        include_negatives: bool,
        /// The background holds the documents that are looked at.
        background_is_superset: bool,
    },
    /// The part of a value's documents that are looked at.
    Percentage,
}

/// Two ends; an end that is left out is open.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds<T> {
    /// The lower end.
    pub min: Option<T>,
    /// The upper end.
    pub max: Option<T>,
}

/// [`AggregationKind::Histogram`].
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The values.
    pub source: ValueSource,
    /// The width of a bucket; greater than 0.
    pub interval: f64,
    /// Where buckets begin, modulo the interval.
    pub offset: f64,
    /// Smaller buckets are left out; 0 fills the gaps.
    pub min_doc_count: u64,
    /// Empty buckets are added up to here.
    pub extended_bounds: Bounds<f64>,
    /// Buckets outside are left out.
    pub hard_bounds: Bounds<f64>,
    /// Whether the answer is an object.
    pub keyed: bool,
    /// The order; ties go by ascending key.
    pub order: Vec<BucketOrder>,
}

/// [`AggregationKind::DateHistogram`].
#[derive(Debug, Clone, PartialEq)]
pub struct DateHistogram {
    /// The dates.
    pub source: ValueSource,
    /// Where buckets begin.
    pub rounding: Rounding,
    /// Smaller buckets are left out; 0 fills the gaps.
    pub min_doc_count: u64,
    /// Empty buckets are added up to here; milliseconds.
    pub extended_bounds: Bounds<i64>,
    /// Dates outside are left out; milliseconds.
    pub hard_bounds: Bounds<i64>,
    /// Whether the answer is an object.
    pub keyed: bool,
    /// The order; ties go by ascending key.
    pub order: Vec<BucketOrder>,
}

/// [`AggregationKind::Range`].
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// The values.
    pub source: ValueSource,
    /// The ranges, in the order of the answer.
    pub ranges: Vec<NumberRange>,
    /// Whether the answer is an object.
    pub keyed: bool,
    /// Whether the bounds are dates.
    pub dates: bool,
}

/// From a bound, inclusive, to another, exclusive.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberRange {
    /// What the answer calls it; `None` for its bounds.
    pub key: Option<String>,
    /// The lower end.
    pub from: Option<f64>,
    /// The upper end.
    pub to: Option<f64>,
}

/// [`AggregationKind::IpRange`].
#[derive(Debug, Clone, PartialEq)]
pub struct IpRange {
    /// The addresses.
    pub source: ValueSource,
    /// The ranges, in the order of the answer.
    pub ranges: Vec<AddressRange>,
    /// Whether the answer is an object.
    pub keyed: bool,
}

/// From an address, inclusive, to another, exclusive; as numbers of 128 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRange {
    /// What the answer calls it; `None` for its bounds.
    pub key: Option<String>,
    /// The lower end.
    pub from: Option<u128>,
    /// The upper end.
    pub to: Option<u128>,
}

/// [`AggregationKind::Filters`].
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// The queries with their names; without names they are told apart by their order.
    pub filters: Vec<(Option<String>, Query)>,
    /// The name of a bucket of the documents that no query matches.
    pub other: Option<String>,
    /// Whether the answer is an object.
    pub keyed: bool,
}

/// [`AggregationKind::AdjacencyMatrix`].
#[derive(Debug, Clone, PartialEq)]
pub struct AdjacencyMatrix {
    /// The queries with their names, by name.
    pub filters: Vec<(String, Query)>,
    /// Stands between two names.
    pub separator: String,
}

/// [`AggregationKind::Composite`].
#[derive(Debug, Clone, PartialEq)]
pub struct Composite {
    /// The values that are combined.
    pub sources: Vec<CompositeSource>,
    /// So many buckets are returned.
    pub size: usize,
    /// Only buckets after this key.
    pub after: Option<Vec<Option<TermValue>>>,
}

/// A part of a composite's key.
#[derive(Debug, Clone, PartialEq)]
pub struct CompositeSource {
    /// What the key calls it.
    pub name: String,
    /// The values.
    pub source: ValueSource,
    /// How they become keys.
    pub keys: CompositeKeys,
    /// The largest first.
    pub descending: bool,
    /// Documents without a value have the key null.
    pub missing_bucket: bool,
    /// Where null stands; `None` for first when ascending, last when descending.
    pub missing_first: Option<bool>,
}

/// How a composite's values become keys.
#[derive(Debug, Clone, PartialEq)]
pub enum CompositeKeys {
    /// Each value is one.
    Terms,
    /// The beginning of its interval is.
    Histogram {
        /// The width of an interval.
        interval: f64,
    },
    /// The beginning of its interval of time is.
    DateHistogram(Rounding),
}

/// By what documents are ordered.
#[derive(Debug, Clone, PartialEq)]
pub struct HitOrder {
    /// By what.
    pub by: HitOrderBy,
    /// The largest first.
    pub descending: bool,
    /// Documents without a value come first.
    pub missing_first: bool,
    /// The value of documents that have none, in place of their standing first or last.
    pub missing: Option<TermValue>,
    /// Which of several values counts.
    pub mode: OrderMode,
}

/// By what documents are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HitOrderBy {
    /// The score.
    Score,
    /// The place in the index.
    Place,
    /// A field's value.
    Field(String),
}

/// Which of several values counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderMode {
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// Their median.
    Median,
}

/// [`AggregationKind::TopHits`].
#[derive(Debug, Clone, PartialEq)]
pub struct TopHits {
    /// So many are left out.
    pub from: usize,
    /// So many are returned.
    pub size: usize,
    /// The order; empty for the best score first.
    pub order: Vec<HitOrder>,
    /// What is fetched of each hit, as the request says it; handed back untouched.
    pub fetch: Value,
}

/// [`AggregationKind::TopMetrics`].
#[derive(Debug, Clone, PartialEq)]
pub struct TopMetrics {
    /// The fields whose values are returned.
    pub fields: Vec<String>,
    /// The order.
    pub order: HitOrder,
    /// So many documents.
    pub size: usize,
}

/// What is computed from other aggregations' results.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// What.
    pub kind: PipelineKind,
    /// How its number is printed.
    pub format: Option<String>,
}

/// What is computed from other aggregations' results.
#[derive(Debug, Clone, PartialEq)]
pub enum PipelineKind {
    /// One figure over a sibling's buckets.
    Siblings {
        /// Which figure.
        figure: SiblingFigure,
        /// The sibling, and the number of each of its buckets.
        path: Path,
        /// What a bucket without a number counts for.
        gaps: GapPolicy,
    },
    /// The difference to the bucket before.
    Derivative {
        /// The number of each bucket.
        path: Path,
        /// What a bucket without a number counts for.
        gaps: GapPolicy,
        /// The difference is also given for this many milliseconds.
        unit_millis: Option<i64>,
    },
    /// The sum of this bucket and all before.
    CumulativeSum {
        /// The number of each bucket.
        path: Path,
    },
    /// Orders and cuts the buckets.
    BucketSort {
        /// The order.
        order: Vec<BucketOrder>,
        /// So many are left out.
        from: usize,
        /// So many are kept.
        size: Option<usize>,
        /// What a bucket without a number counts for.
        gaps: GapPolicy,
    },
}

/// A figure over a sibling's buckets.
#[derive(Debug, Clone, PartialEq)]
pub enum SiblingFigure {
    /// The mean.
    Avg,
    /// The greatest, and whose it is.
    Max,
    /// The least, and whose it is.
    Min,
    /// The sum.
    Sum,
    /// Count, least, greatest, mean and sum.
    Stats,
    /// As `Stats`, with squares and deviations; so many of them make the bounds.
    ExtendedStats(f64),
    /// Values below which given parts of all lie.
    Percentiles {
        /// The parts, in percent.
        percents: Vec<f64>,
        /// Whether the answer is an object.
        keyed: bool,
    },
}

/// What a bucket without a number counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapPolicy {
    /// It is left out.
    Skip,
    /// For 0.
    InsertZeros,
    /// An empty bucket is left out, whatever its number.
    KeepValues,
}

impl AggregationKind {
    /// Whether the documents' scores are needed.
    pub(super) fn needs_scores(&self) -> bool {
        match self {
            AggregationKind::TopHits(hits) => {
                hits.order.is_empty() || hits.order.iter().any(|order| order.by == HitOrderBy::Score)
            }
            AggregationKind::TopMetrics(metrics) => metrics.order.by == HitOrderBy::Score,
            AggregationKind::Sampler { .. } => true,
            AggregationKind::Terms(_)
            | AggregationKind::RareTerms(_)
            | AggregationKind::MultiTerms(_)
            | AggregationKind::SignificantTerms(_)
            | AggregationKind::Histogram(_)
            | AggregationKind::DateHistogram(_)
            | AggregationKind::Range(_)
            | AggregationKind::IpRange(_)
            | AggregationKind::Filter(_)
            | AggregationKind::Filters(_)
            | AggregationKind::AdjacencyMatrix(_)
            | AggregationKind::Missing(_)
            | AggregationKind::Global
            | AggregationKind::Nested { .. }
            | AggregationKind::ReverseNested { .. }
            | AggregationKind::Composite(_)
            | AggregationKind::Avg(_)
            | AggregationKind::Sum(_)
            | AggregationKind::Min(_)
            | AggregationKind::Max(_)
            | AggregationKind::Stats(_)
            | AggregationKind::ExtendedStats { .. }
            | AggregationKind::ValueCount(_)
            | AggregationKind::Cardinality { .. }
            | AggregationKind::Percentiles { .. }
            | AggregationKind::PercentileRanks { .. }
            | AggregationKind::MedianAbsoluteDeviation { .. }
            | AggregationKind::Boxplot { .. }
            | AggregationKind::WeightedAvg { .. }
            | AggregationKind::StringStats { .. }
            | AggregationKind::Pipeline(_) => false,
        }
    }
}

impl Aggregation {
    /// Whether it, or one under it, needs the documents' scores.
    pub fn needs_scores(&self) -> bool {
        self.kind.needs_scores() || self.aggs.iter().any(Aggregation::needs_scores)
    }
}

/// Where a composite's `after` and a bucket's key meet: a key, or null.
pub type CompositeKey = Vec<Option<Key>>;
