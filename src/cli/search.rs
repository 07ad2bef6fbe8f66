//! `bifocal search`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::output;
use crate::error::Error;
use crate::index::{Index, check_model};
use crate::models::Models;
use crate::plan::Plan;
use crate::respond::SearchResponse;
use crate::retrieve::Searcher;
use crate::search::{SearchRequest, search};

/// Searches an index by a plan: lexical, dense, hybrid, hybrid-rerank, or your own
///
/// The query is what one types into a search box: words, "phrases", field:word, -not, +must, AND OR NOT, word*, word~, ranges
/// like year:[1990 TO 2000]. It never errors; what is no syntax is taken as words.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bifocal search books.idx \"lift of a wing\" --plan hybrid --size 5\n  bifocal search books.idx \"lift of a wing\" --plan lexical,dense,hybrid\n  bifocal search books.idx wing --plan plan.yaml --filter 'year:>=1950' --json"
)]
pub(super) struct SearchArgs {
    /// The index's folder
    index: PathBuf,
    /// What to look for
    query: String,
    #[command(flatten)]
    plan: PlanArgs,
    /// Hits to return; the plan's, else 10, when absent
    #[arg(long, short = 'n')]
    size: Option<usize>,
    /// Best hits to leave out first
    #[arg(long)]
    offset: Option<usize>,
    /// Refuses the search unless the index was made with this model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Prints one JSON object a plan
    #[arg(long)]
    json: bool,
}

/// Which plan, and changes to it.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// A plan's name, a file with one (`plan.yaml`, `plans.yaml#mine`), or JSON; several with commas show side by side.
    /// When absent: hybrid where the index has one semantic field, else lexical
    #[arg(long)]
    pub(super) plan: Option<String>,
    /// Candidates of each leg
    #[arg(long)]
    pub(super) depth: Option<usize>,
    /// Only documents that match this, in the search box's syntax
    #[arg(long)]
    pub(super) filter: Option<String>,
}

impl PlanArgs {
    /// The plans, with the changes made.
    pub(super) fn plans(&self, searcher: &Searcher) -> crate::Result<Vec<Plan>> {
        let default = if searcher.plan_context(None).default_dense_field.is_some() { "hybrid" } else { "lexical" };
        let written = self.plan.as_deref().unwrap_or(default);
        let mut plans = if written.trim_start().starts_with('{') {
            vec![Plan::parse(written)?]
        } else {
            written
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(Plan::parse)
                .collect::<crate::Result<_>>()?
        };
        if plans.is_empty() {
            return Err(Error::invalid_plan("--plan names no plan"));
        }
        for plan in &mut plans {
            if let Some(depth) = self.depth {
                plan.set_depth(depth);
            }
            if self.filter.is_some() {
                plan.filter.clone_from(&self.filter);
            }
        }
        Ok(plans)
    }
}

pub(super) fn run(args: &SearchArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    let index = Index::open(&args.index, models.clone())?;
    if let Some(name) = &args.model {
        let asked = models.bi_encoder(name)?;
        for (field, recorded) in index.model_fingerprints() {
            check_model(&recorded, asked.fingerprint()).map_err(|error| error.in_field(field))?;
        }
    }
    let searcher = Searcher::open(&index)?;
    let request = SearchRequest::new(&args.query);
    let mut plans = args.plan.plans(&searcher)?;
    for plan in &mut plans {
        plan.size = args.size.or(plan.size);
        plan.offset = args.offset.or(plan.offset);
    }
    if plans.len() > 1 && !args.json {
        return side_by_side(&searcher, models, &request, &plans);
    }
    for plan in &plans {
        let response = search(&searcher, models, &request, plan)?;
        if args.json {
            say!("{}", serde_json::to_string(&response)?);
        } else {
            output::print_hits(&searcher, &args.query, &response);
        }
    }
    Ok(())
}

/// A plan that cannot run here (no cross-encoder installed) is named, and the others are shown.
fn side_by_side(searcher: &Searcher, models: &Models, request: &SearchRequest, plans: &[Plan]) -> anyhow::Result<()> {
    let mut responses: Vec<SearchResponse> = Vec::with_capacity(plans.len());
    for plan in plans {
        // The first search loads models and maps files; the second is what a user of a running program sees.
        match search(searcher, models, request, plan).and_then(|_| search(searcher, models, request, plan)) {
            Ok(response) => responses.push(response),
            Err(error) => eprintln!("plan {} cannot run: {error}", plan.name.as_deref().unwrap_or("plan")),
        }
    }
    if responses.is_empty() {
        return Err(Error::invalid_plan("none of the plans can run").into());
    }
    say!("query: {}", request.text);
    say!();
    output::print_side_by_side(&responses);
    say!();
    Ok(())
}
