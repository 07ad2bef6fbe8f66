//! The table of routes: what each is for, who may use it, what it takes. `schema/openapi.json` is made from it, and a test compares
//! it with the router.

use std::collections::HashMap;
use std::sync::OnceLock;

use axum::http::Method;

use crate::server::auth::Access;
use Access::{Admin, Read, Write};
use BodyKind::{Json, Lines, None as NoBody};

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// Nothing.
    None,
    /// A JSON object.
    Json,
    /// A JSON object a line.
    Lines,
}

/// What a method of a path does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// The HTTP method; `HEAD` goes with `GET`.
    pub(crate) method: &'static str,
    /// As axum writes it.
    pub(crate) path: &'static str,
    /// Who may.
    pub(crate) access: Access,
    /// What it carries.
    pub(crate) body: BodyKind,
    /// The query string's parameters that mean something, between spaces; [`PARAMETERS`] says what each is.
    pub(crate) parameters: &'static str,
    /// One line.
    pub(crate) summary: &'static str,
}

/// The same for several methods and paths.
struct Group {
    methods: &'static [&'static str],
    paths: &'static [&'static str],
    access: Access,
    body: BodyKind,
    parameters: &'static str,
    summary: &'static str,
}

const fn group(
    methods: &'static [&'static str],
    paths: &'static [&'static str],
    access: Access,
    body: BodyKind,
    parameters: &'static str,
    summary: &'static str,
) -> Group {
    Group { methods, paths, access, body, parameters, summary }
}

const GET: &[&str] = &["GET"];
const PUT: &[&str] = &["PUT"];
const POST: &[&str] = &["POST"];
const DELETE: &[&str] = &["DELETE"];
const GET_POST: &[&str] = &["GET", "POST"];
const PUT_POST: &[&str] = &["PUT", "POST"];

const TARGETS: &str = "ignore_unavailable allow_no_indices expand_wildcards";
const CAT: &str = "format h s v help bytes";
const WRITING: &str = "refresh routing timeout";

#[rustfmt::skip]
const GROUPS: &[Group] = &[
    group(GET, &["/"], Read, NoBody, "", "Names the server and its version"),
    group(GET, &["/metrics"], Read, NoBody, "", "The server's figures for Prometheus"),
    // Users.
    group(GET, &["/_security/_authenticate"], Read, NoBody, "", "Who asks"),
    group(PUT_POST, &["/_security/api_key"], Admin, Json, "", "Makes an API key"),
    group(GET, &["/_security/api_key"], Admin, NoBody, "id name username owner active_only", "Lists API keys"),
    group(DELETE, &["/_security/api_key"], Admin, Json, "", "Revokes API keys"),
    // Cluster and nodes.
    group(GET, &["/_cluster/health", "/_cluster/health/{index}"], Read, NoBody, "level wait_for_status wait_for_nodes timeout", "Health"),
    group(GET, &["/_cluster/state", "/_cluster/state/{metric}", "/_cluster/state/{metric}/{index}"], Read, NoBody, TARGETS, "The state of the one node and its indices"),
    group(GET, &["/_cluster/stats", "/_cluster/stats/nodes/{node}"], Read, NoBody, "", "Figures of all indices"),
    group(GET, &["/_cluster/settings"], Read, NoBody, "include_defaults", "The settings of the cluster; there are none"),
    group(PUT, &["/_cluster/settings"], Admin, Json, "", "Takes settings back; others are refused by name"),
    group(GET, &["/_cluster/pending_tasks"], Read, NoBody, "", "Tasks that wait; there are none"),
    group(GET, &["/_nodes", "/_nodes/{node}", "/_nodes/{node}/{metric}"], Read, NoBody, "", "The one node"),
    group(GET, &["/_nodes/stats", "/_nodes/stats/{metric}", "/_nodes/stats/{metric}/{index_metric}", "/_nodes/{node}/stats", "/_nodes/{node}/stats/{metric}"], Read, NoBody, "", "Figures of the one node"),
    group(GET, &["/_license"], Read, NoBody, "", "A basic licence, for tools that ask"),
    group(GET, &["/_xpack"], Read, NoBody, "", "Features, for tools that ask"),
    group(GET, &["/_tasks", "/_tasks/{task}"], Read, NoBody, "", "Tasks; there are none"),
    // Tables.
    group(GET, &["/_cat"], Read, NoBody, "", "Lists the tables"),
    group(GET, &["/_cat/indices", "/_cat/indices/{index}"], Read, NoBody, CAT, "A table of indices"),
    group(GET, &["/_cat/health"], Read, NoBody, CAT, "A table of the health"),
    group(GET_POST, &["/_cat/count", "/_cat/count/{index}"], Read, NoBody, CAT, "A table of the number of documents"),
    group(GET, &["/_cat/aliases", "/_cat/aliases/{name}"], Read, NoBody, CAT, "A table of aliases"),
    group(GET, &["/_cat/nodes"], Read, NoBody, CAT, "A table of nodes"),
    group(GET, &["/_cat/master"], Read, NoBody, CAT, "A table of the elected node"),
    group(GET, &["/_cat/shards", "/_cat/shards/{index}"], Read, NoBody, CAT, "A table of shards"),
    group(GET, &["/_cat/segments", "/_cat/segments/{index}"], Read, NoBody, CAT, "A table of segments"),
    group(GET, &["/_cat/templates", "/_cat/templates/{name}"], Read, NoBody, CAT, "A table of templates; there are none"),
    group(GET, &["/_cat/plugins"], Read, NoBody, CAT, "A table of plugins; there are none"),
    group(GET, &["/_cat/allocation"], Read, NoBody, CAT, "A table of the disk's use"),
    group(GET, &["/_cat/thread_pool"], Read, NoBody, CAT, "A table of the pools of threads"),
    // Indices.
    group(PUT, &["/{index}"], Admin, Json, "timeout wait_for_active_shards", "Creates an index"),
    group(DELETE, &["/{index}"], Admin, NoBody, TARGETS, "Deletes indices"),
    group(GET, &["/{index}"], Read, NoBody, "ignore_unavailable allow_no_indices expand_wildcards features flat_settings include_defaults", "Aliases, mapping and settings of indices"),
    group(GET, &["/_mapping", "/{index}/_mapping"], Read, NoBody, TARGETS, "Mappings"),
    group(PUT_POST, &["/{index}/_mapping"], Admin, Json, TARGETS, "Adds fields to mappings"),
    group(GET, &["/_mapping/field/{fields}", "/{index}/_mapping/field/{fields}"], Read, NoBody, "ignore_unavailable allow_no_indices expand_wildcards include_defaults", "Mappings of fields"),
    group(GET, &["/_settings", "/_settings/{name}", "/{index}/_settings", "/{index}/_settings/{name}"], Read, NoBody, "ignore_unavailable allow_no_indices expand_wildcards flat_settings include_defaults", "Settings"),
    group(PUT, &["/_settings", "/{index}/_settings"], Admin, Json, "ignore_unavailable allow_no_indices expand_wildcards preserve_existing", "Changes settings that can change"),
    group(GET, &["/_alias", "/_alias/{name}", "/{index}/_alias", "/{index}/_alias/{name}"], Read, NoBody, TARGETS, "Aliases"),
    group(PUT_POST, &["/{index}/_alias/{name}", "/{index}/_aliases/{name}", "/_alias/{name}"], Admin, Json, "", "Adds an alias"),
    group(PUT, &["/_alias", "/{index}/_alias"], Admin, Json, "", "Adds an alias that the body names"),
    group(DELETE, &["/{index}/_alias/{name}", "/{index}/_aliases/{name}"], Admin, NoBody, "", "Removes aliases"),
    group(POST, &["/_aliases"], Admin, Json, "", "Adds and removes aliases at once"),
    group(GET, &["/_aliases"], Read, NoBody, TARGETS, "Aliases"),
    group(GET_POST, &["/_refresh", "/{index}/_refresh"], Write, NoBody, TARGETS, "Makes what was written visible"),
    group(GET_POST, &["/_flush", "/{index}/_flush"], Admin, NoBody, "ignore_unavailable allow_no_indices expand_wildcards force wait_if_ongoing", "Writes segments and trims translogs"),
    group(POST, &["/_forcemerge", "/{index}/_forcemerge"], Admin, NoBody, "ignore_unavailable allow_no_indices expand_wildcards max_num_segments flush", "Merges segments"),
    group(POST, &["/_cache/clear", "/{index}/_cache/clear"], Admin, NoBody, TARGETS, "Clears caches; there are none that hold answers"),
    group(PUT, &["/{index}/_block/{block}"], Admin, NoBody, TARGETS, "Keeps an index from being read or written"),
    group(POST, &["/{index}/_open", "/{index}/_close"], Admin, NoBody, TARGETS, "Opens or closes indices"),
    group(GET, &["/_stats", "/_stats/{metric}", "/{index}/_stats", "/{index}/_stats/{metric}"], Read, NoBody, "ignore_unavailable allow_no_indices expand_wildcards level", "Figures of indices"),
    group(GET, &["/_segments", "/{index}/_segments"], Read, NoBody, TARGETS, "Segments"),
    group(GET_POST, &["/_field_caps", "/{index}/_field_caps"], Read, Json, "ignore_unavailable allow_no_indices expand_wildcards fields include_unmapped filters types", "What can be done with fields"),
    group(GET_POST, &["/_analyze", "/{index}/_analyze"], Read, Json, "", "Analyses text"),
    group(GET_POST, &["/_resolve/index/{name}"], Read, NoBody, TARGETS, "Which indices and aliases an expression means"),
    // Absent parts: none exist, and making one is refused by name.
    group(GET, &["/_index_template", "/_template", "/_component_template", "/_ingest/pipeline", "/_ilm/policy", "/_snapshot", "/_data_stream"], Read, NoBody, "", "Lists what this engine has none of"),
    group(&["GET", "PUT", "POST", "DELETE"], &["/_index_template/{name}", "/_template/{name}", "/_component_template/{name}", "/_ingest/pipeline/{name}", "/_ilm/policy/{name}", "/_snapshot/{name}", "/_data_stream/{name}"], Admin, Json, "", "Refused by name"),
    // Documents.
    group(GET, &["/{index}/_doc/{id}"], Read, NoBody, "_source _source_includes _source_excludes realtime refresh routing version version_type stored_fields", "A document"),
    group(PUT_POST, &["/{index}/_doc/{id}"], Write, Json, "refresh routing timeout if_seq_no if_primary_term version version_type op_type", "Adds or replaces a document"),
    group(POST, &["/{index}/_doc"], Write, Json, WRITING, "Adds a document under a new id"),
    group(DELETE, &["/{index}/_doc/{id}"], Write, NoBody, "refresh routing timeout if_seq_no if_primary_term version version_type", "Deletes a document"),
    group(PUT_POST, &["/{index}/_create/{id}"], Write, Json, WRITING, "Adds a document that must not exist"),
    group(POST, &["/{index}/_update/{id}"], Write, Json, "refresh routing timeout if_seq_no if_primary_term retry_on_conflict _source", "Changes a part of a document"),
    group(GET, &["/{index}/_source/{id}"], Read, NoBody, "_source_includes _source_excludes realtime refresh routing version", "A document's source"),
    group(GET_POST, &["/_mget", "/{index}/_mget"], Read, Json, "_source _source_includes _source_excludes realtime refresh routing", "Several documents"),
    group(PUT_POST, &["/_bulk", "/{index}/_bulk"], Write, Lines, "refresh routing timeout pipeline _source require_alias", "Many writes"),
    group(POST, &["/{index}/_delete_by_query"], Write, Json, "refresh conflicts max_docs q scroll_size wait_for_completion", "Deletes what a query finds"),
    group(POST, &["/{index}/_update_by_query"], Write, Json, "refresh conflicts max_docs q scroll_size wait_for_completion", "Writes again what a query finds"),
    group(POST, &["/_reindex"], Write, Json, "refresh max_docs wait_for_completion", "Copies documents between indices"),
    // Search.
    group(GET_POST, &["/_search", "/{index}/_search"], Read, Json, "q df analyzer default_operator lenient from size sort _source _source_includes _source_excludes stored_fields docvalue_fields track_total_hits track_scores scroll search_type timeout terminate_after explain version seq_no_primary_term rest_total_hits_as_int typed_keys provenance ignore_unavailable allow_no_indices expand_wildcards routing preference", "Searches"),
    group(GET_POST, &["/_msearch", "/{index}/_msearch"], Read, Lines, "max_concurrent_searches rest_total_hits_as_int typed_keys search_type", "Several searches"),
    group(GET_POST, &["/_count", "/{index}/_count"], Read, Json, "q df analyzer default_operator lenient min_score terminate_after ignore_unavailable allow_no_indices expand_wildcards", "Counts what a query finds"),
    group(GET_POST, &["/_search/scroll", "/_search/scroll/{scroll_id}"], Read, Json, "scroll scroll_id rest_total_hits_as_int", "The next page of a scroll"),
    group(DELETE, &["/_search/scroll", "/_search/scroll/{scroll_id}"], Read, Json, "", "Ends scrolls"),
    group(POST, &["/{index}/_pit"], Read, NoBody, "keep_alive ignore_unavailable allow_no_indices expand_wildcards", "Opens a point in time"),
    group(DELETE, &["/_pit"], Read, Json, "", "Closes a point in time"),
    group(GET_POST, &["/_validate/query", "/{index}/_validate/query"], Read, Json, "explain rewrite q df analyzer default_operator lenient all_shards", "Checks a query"),
    group(GET_POST, &["/{index}/_explain/{id}"], Read, Json, "q df analyzer default_operator lenient routing _source _source_includes _source_excludes", "Why a document has its score"),
    group(GET_POST, &["/_rank_eval", "/{index}/_rank_eval"], Read, Json, TARGETS, "Judges rankings"),
    group(GET, &["/_inference", "/_inference/{id}", "/_inference/{task}/{id}"], Read, NoBody, "", "Models by the names that mappings and retrievers use"),
    group(POST, &["/_inference/{id}", "/_inference/{task}/{id}"], Read, Json, "timeout", "Embeds or re-ranks texts"),
    group(PUT, &["/_inference/{id}", "/_inference/{task}/{id}"], Admin, Json, "timeout", "Gives a model one more name"),
    group(DELETE, &["/_inference/{id}", "/_inference/{task}/{id}"], Admin, NoBody, "", "Takes a name back"),
];

/// What the query string's parameters are: name, type of the JSON Schema, one line.
pub(crate) const PARAMETERS: &[(&str, &str, &str)] = &[
    ("_source", "string", "Whether, or which parts of, the source is returned"),
    ("_source_excludes", "string", "Parts of the source that are left out, between commas"),
    ("_source_includes", "string", "Parts of the source that are returned, between commas"),
    ("active_only", "boolean", "Leave out keys that are revoked or have ended"),
    ("all_shards", "boolean", "Accepted; there is one shard"),
    ("allow_no_indices", "boolean", "Whether a pattern may match nothing"),
    ("analyzer", "string", "The analyzer for `q`"),
    ("bytes", "string", "The unit of sizes: b, kb, mb, gb, tb, pb"),
    ("conflicts", "string", "`abort` or `proceed` at version conflicts"),
    ("default_operator", "string", "`AND` or `OR` between the words of `q`"),
    ("df", "string", "The field of words in `q` that name none"),
    ("docvalue_fields", "string", "Fields whose stored values are returned, between commas"),
    ("expand_wildcards", "string", "What patterns match: open, closed, hidden, none, all"),
    ("explain", "boolean", "Tells how scores came about"),
    ("features", "string", "Parts of the answer: aliases, mappings, settings"),
    ("fields", "string", "Fields or patterns, between commas"),
    ("filters", "string", "Which kinds of fields are told"),
    ("flat_settings", "boolean", "Settings by their dotted names"),
    ("flush", "boolean", "Flushes afterwards"),
    ("force", "boolean", "Flushes even where nothing changed"),
    ("format", "string", "json, yaml or text"),
    ("from", "integer", "Hits to leave out"),
    ("h", "string", "Columns, between commas"),
    ("help", "boolean", "Tells the columns"),
    ("id", "string", "The id of an API key"),
    ("if_primary_term", "integer", "The term that the document's last change must have"),
    ("if_seq_no", "integer", "The number that the document's last change must have"),
    ("ignore_unavailable", "boolean", "Leaves out indices that do not exist"),
    ("include_defaults", "boolean", "Tells settings that were not set, too"),
    ("include_unmapped", "boolean", "Tells which indices lack a field"),
    ("keep_alive", "string", "How long it lives between two requests"),
    ("lenient", "boolean", "Leaves out values that do not fit their field"),
    ("level", "string", "cluster, indices or shards"),
    ("max_concurrent_searches", "integer", "Searches at once"),
    ("max_docs", "integer", "The most documents that are touched"),
    ("max_num_segments", "integer", "Segments that may be left"),
    ("min_score", "number", "The least score"),
    ("name", "string", "The name of an API key; `*` stands for any part"),
    ("op_type", "string", "`index` or `create`"),
    ("owner", "boolean", "Only the asker's own keys"),
    ("pipeline", "string", "Refused: there are no pipelines"),
    ("preference", "string", "Accepted; there is one copy"),
    ("preserve_existing", "boolean", "Leaves settings that are set"),
    ("provenance", "boolean", "Adds `_bifocal` to each hit: how each leg, the fusion and the re-ranker saw it"),
    ("q", "string", "A query in the syntax of `query_string`"),
    ("realtime", "boolean", "Sees what is not refreshed yet"),
    ("refresh", "string", "true, false or wait_for: when the change is visible"),
    ("require_alias", "boolean", "The target must be an alias"),
    ("rest_total_hits_as_int", "boolean", "The total as a number"),
    ("retry_on_conflict", "integer", "Tries at a version conflict"),
    ("rewrite", "boolean", "Tells the query that runs"),
    ("routing", "string", "Kept with the document; one shard needs none"),
    ("s", "string", "Columns to sort by, between commas, each with `:desc` or `:asc`"),
    ("scroll", "string", "How long the scroll lives between two requests"),
    ("scroll_id", "string", "The scroll"),
    ("scroll_size", "integer", "Documents a step"),
    ("search_type", "string", "Accepted; there is one shard"),
    ("seq_no_primary_term", "boolean", "Returns the numbers of the last change"),
    ("size", "integer", "Hits"),
    ("sort", "string", "Fields to sort by, between commas, each with `:desc` or `:asc`"),
    ("stored_fields", "string", "Stored fields, between commas"),
    ("terminate_after", "integer", "Documents after which the search ends"),
    ("timeout", "string", "How long it may take"),
    ("track_scores", "boolean", "Scores hits that are sorted by fields"),
    ("track_total_hits", "string", "Whether, or up to which number, hits are counted"),
    ("typed_keys", "boolean", "Aggregations' names begin with their types"),
    ("types", "string", "Types of fields, between commas"),
    ("username", "string", "The keys' maker"),
    ("v", "boolean", "A line of column names"),
    ("version", "string", "The version to write, or whether hits show theirs"),
    ("version_type", "string", "internal, external or external_gte"),
    ("wait_for_active_shards", "string", "Accepted; there is one copy"),
    ("wait_for_completion", "boolean", "Must be true: there are no tasks"),
    ("wait_for_nodes", "string", "The number of nodes to wait for; there is one"),
    ("wait_for_status", "string", "green, yellow or red; it is green"),
    ("wait_if_ongoing", "boolean", "Waits for a flush that is under way"),
];

/// Every operation, in the table's order.
pub(crate) fn operations() -> impl Iterator<Item = Operation> {
    GROUPS.iter().flat_map(|group| {
        group.paths.iter().flat_map(move |path| {
            group.methods.iter().map(move |method| Operation {
                method,
                path,
                access: group.access,
                body: if matches!(*method, "GET" | "DELETE") && group.methods.len() == 4 { NoBody } else { group.body },
                parameters: group.parameters,
                summary: group.summary,
            })
        })
    })
}

/// What a method of a route asks for; whatever the table lacks is for administrators.
pub(crate) fn access(path: &str, method: &Method) -> Access {
    static TABLE: OnceLock<HashMap<(&str, &str), Access>> = OnceLock::new();
    let table = TABLE
        .get_or_init(|| operations().map(|operation| ((operation.path, operation.method), operation.access)).collect());
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    table.get(&(path, method)).copied().unwrap_or(Admin)
}
