//! What is compared: the rows of the table as they were typed.

use std::path::{Path, PathBuf};

use super::EvalArgs;
use crate::error::{Error, Result};
use crate::eval::remote::RemoteEngine;
use crate::eval::sweep::{Sweep, Variant};
use crate::plan::Plan;

/// The plans where none are named.
const DEFAULT_PLANS: &str = "lexical,dense,hybrid,hybrid-rerank";

/// A row that was asked for.
#[derive(Debug)]
pub(super) enum Row {
    /// A plan.
    Plan(Box<PlanRow>),
    /// Another system's run.
    Run(PathBuf),
    /// Another engine.
    Engine(Box<RemoteEngine>),
}

impl Row {
    /// `None` for a run: its name stands in its file, and another is found for it where it is taken.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Row::Plan(row) => Some(row.name()),
            Row::Engine(engine) => Some(engine.name()),
            Row::Run(_) => None,
        }
    }
}

/// A plan, or one that a sweep made of it.
#[derive(Debug)]
pub(super) struct PlanRow {
    pub(super) plan: Plan,
    /// The bi-encoder, where a sweep changes it.
    pub(super) model: Option<String>,
    pub(super) is_swept: bool,
}

impl PlanRow {
    pub(super) fn name(&self) -> &str {
        self.plan.name.as_deref().unwrap_or("plan")
    }
}

impl From<Variant> for PlanRow {
    fn from(variant: Variant) -> Self {
        Self { plan: variant.plan, model: variant.model, is_swept: true }
    }
}

/// The rows in the order asked for; what sweeps add stands behind its plan, runs stand last.
///
/// * `has_collection`: without one there is nothing to search, and only runs and other engines are rows.
pub(super) fn parse(args: &EvalArgs, has_collection: bool) -> Result<Vec<Row>> {
    let sweeps: Vec<Sweep> = args.sweep.iter().map(|sweep| Sweep::parse(sweep)).collect::<Result<_>>()?;
    let mut is_used = vec![false; sweeps.len()];
    let mut rows = Vec::new();
    let default = if has_collection { DEFAULT_PLANS } else { "" };
    for item in split_list(args.plans.as_deref().unwrap_or(default)) {
        if is_run_file(item) {
            rows.push(Row::Run(item.into()));
        } else if let Some(engine) = RemoteEngine::parse(item) {
            rows.push(Row::Engine(Box::new(engine?)));
        } else if !has_collection {
            let text = format!("the plan {item} has nothing to search; name a collection's folder before the options");
            return Err(Error::invalid_input(text));
        } else if let Some((plan, sweep)) = swept(item) {
            let variants = Sweep::parse(sweep)?.variants(&read_plan(plan, args)?)?.ok_or_else(|| {
                Error::invalid_input(format!("the sweep {item:?} changes what the plan {plan} does not have"))
            })?;
            rows.extend(variants.into_iter().map(|variant| Row::Plan(Box::new(variant.into()))));
        } else {
            let plan = read_plan(item, args)?;
            let mut variants = Vec::new();
            for (sweep, is_used) in sweeps.iter().zip(&mut is_used) {
                if let Some(found) = sweep.variants(&plan)? {
                    *is_used = true;
                    variants.extend(found);
                }
            }
            rows.push(Row::Plan(Box::new(PlanRow { plan, model: None, is_swept: false })));
            rows.extend(variants.into_iter().map(|variant| Row::Plan(Box::new(variant.into()))));
        }
    }
    if let Some((unused, _)) = args.sweep.iter().zip(&is_used).find(|(_, is_used)| !**is_used) {
        let text =
            format!("the sweep {unused:?} fits none of the plans: it names another, or changes what they do not have");
        return Err(Error::invalid_input(text));
    }
    rows.extend(args.run.iter().cloned().map(Row::Run));
    check(&rows, has_collection)?;
    Ok(rows)
}

fn check(rows: &[Row], has_collection: bool) -> Result<()> {
    if rows.is_empty() {
        let what =
            if has_collection { "--plans names no plan" } else { "there is no run to score; name one with --run" };
        return Err(Error::invalid_input(what));
    }
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        let Some(name) = row.name() else { continue };
        if names.contains(&name) {
            return Err(Error::invalid_input(format!("two rows are called {name:?}; give one another `name`")));
        }
        names.push(name);
    }
    Ok(())
}

fn read_plan(item: &str, args: &EvalArgs) -> Result<Plan> {
    let mut plan = Plan::parse(item)?;
    if let Some(depth) = args.depth {
        plan.set_depth(depth);
    }
    Ok(plan)
}

/// `hybrid[rrf.k=10,60]` as its plan and its sweep.
fn swept(item: &str) -> Option<(&str, &str)> {
    let (plan, sweep) = item.strip_suffix(']')?.split_once('[')?;
    (!plan.is_empty() && !plan.trim_start().starts_with('{') && !Path::new(item).exists()).then_some((plan, sweep))
}

/// Whether an item is a TREC run: a file with one of the endings that runs have.
fn is_run_file(item: &str) -> bool {
    let name = item.strip_suffix(".gz").or_else(|| item.strip_suffix(".zst")).unwrap_or(item);
    [".run", ".trec", ".txt"].iter().any(|ending| name.ends_with(ending)) && Path::new(item).is_file()
}

/// The items of a list with commas; commas within brackets, braces and quotes of JSON do not count.
fn split_list(list: &str) -> Vec<&str> {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let items = list.split(|letter: char| {
        if in_string {
            in_string = is_escaped || letter != '"';
            is_escaped = letter == '\\' && !is_escaped;
            return false;
        }
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            '"' if depth > 0 => in_string = true,
            _ => {}
        }
        letter == ',' && depth == 0
    });
    items.map(str::trim).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_within_brackets_and_json_do_not_split() {
        let list = r#"lexical, hybrid[rrf.k=10,60&depth=50,100],{"legs": [{"dense": {}}, {"lexical": {}}], "filter": "a\",] b"},x.run"#;
        let items = split_list(list);
        assert_eq!(items.len(), 4, "{items:?}");
        assert_eq!((items[0], items[3]), ("lexical", "x.run"));
        assert_eq!(swept(items[1]), Some(("hybrid", "rrf.k=10,60&depth=50,100")));
        assert_eq!(swept(items[2]), None);
        assert!(Plan::parse(items[2]).is_ok());
        assert!(split_list(" ,, ").is_empty());
    }
}
