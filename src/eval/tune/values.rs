//! Settings to values: every setting is run and scored once.

use std::collections::HashMap;
use std::sync::Arc;

use super::space::{Setting, Space};
use crate::error::Result;
use crate::eval::dataset::Judgments;
use crate::eval::measures::Measure;
use crate::eval::retrieval::Collector;
use crate::eval::scoring::{ScoringOptions, score};
use crate::plan::resolve::{DEFAULT_DEPTH, DEFAULT_RERANK_DEPTH, MAX_DEPTH};
use crate::plan::{Leg, Plan, PlanContext, ResolvedPlan};

/// The measure's values of settings, one a query, always in the same order.
pub trait Values {
    /// Of one setting.
    ///
    /// # Errors
    /// What searching fails with.
    fn values(&mut self, setting: &Setting) -> Result<Arc<Vec<f64>>>;
}

/// Documents of a run where the measure looks at all of them; as `bifocal eval` has it.
const RUN_DEPTH: usize = 100;

/// Runs settings of a plan on an index and scores them.
#[derive(Debug)]
pub struct Scorer<'a> {
    collector: Collector<'a>,
    context: PlanContext,
    plan: &'a Plan,
    qrels: &'a Judgments,
    ids: Vec<String>,
    measure: Measure,
    known: HashMap<Setting, Arc<Vec<f64>>>,
}

impl<'a> Scorer<'a> {
    /// For the queries of `collector`, whose ids are `ids`.
    pub fn new(
        collector: Collector<'a>,
        context: PlanContext,
        plan: &'a Plan,
        qrels: &'a Judgments,
        ids: Vec<String>,
        measure: Measure,
    ) -> Self {
        Self { collector, context, plan, qrels, ids, measure, known: HashMap::new() }
    }

    /// The plan that is tuned.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// The measure that is tuned on.
    pub fn measure(&self) -> &Measure {
        &self.measure
    }

    /// A plan as its user runs it.
    ///
    /// # Errors
    /// As [`Plan::resolve`].
    pub fn resolve_as_written(&self, plan: &Plan) -> Result<ResolvedPlan> {
        plan.resolve(&self.context)
    }

    /// What can be tuned of the plan.
    ///
    /// # Errors
    /// As [`Plan::resolve`].
    pub fn space(&self) -> Result<Space> {
        let runs = |plan: &Plan| self.resolve(plan).is_ok() && self.resolve_as_written(plan).is_ok();
        Ok(Space::of(self.plan, &self.resolve_as_written(self.plan)?, &runs))
    }

    /// A plan as it is evaluated: with as many hits as the measure looks at.
    ///
    /// # Errors
    /// As [`Plan::resolve`].
    pub fn resolve(&self, plan: &Plan) -> Result<ResolvedPlan> {
        // Documents beyond the cutoff change nothing; fewer of them are scored sooner.
        let size = self.measure.cutoff().unwrap_or(RUN_DEPTH).min(MAX_DEPTH);
        let depth = |leg: &Leg| {
            let depth = match leg {
                Leg::Lexical(leg) => leg.depth,
                Leg::Dense(leg) => leg.depth,
            };
            depth.unwrap_or(size.max(DEFAULT_DEPTH))
        };
        let mut plan = plan.clone();
        let deepest = plan.legs.iter().map(depth).max().unwrap_or(size);
        let num_candidates: usize = plan.legs.iter().map(depth).sum();
        (plan.size, plan.offset) = (Some(size.min(deepest)), None);
        if let Some(rerank) = &mut plan.rerank {
            rerank.rerank_depth.get_or_insert(DEFAULT_RERANK_DEPTH.min(num_candidates.max(1)));
        }
        plan.resolve(&self.context)
    }

    /// The values of a plan that is no setting: a leg alone.
    ///
    /// # Errors
    /// As [`Collector::run`].
    pub fn of_plan(&mut self, plan: &Plan) -> Result<Vec<f64>> {
        let resolved = self.resolve(plan)?;
        let run = self.collector.run(&resolved)?;
        let measures = std::slice::from_ref(&self.measure);
        let scores = score(&run.rankings, self.qrels, &self.ids, measures, ScoringOptions::default());
        Ok(scores.values.into_iter().next().unwrap_or_default())
    }
}

impl Values for Scorer<'_> {
    fn values(&mut self, setting: &Setting) -> Result<Arc<Vec<f64>>> {
        if let Some(known) = self.known.get(setting) {
            return Ok(known.clone());
        }
        let values = Arc::new(self.of_plan(&setting.apply(self.plan)?)?);
        self.known.insert(setting.clone(), values.clone());
        Ok(values)
    }
}

/// Each leg of a plan with several, alone and without re-ranking, by name.
pub fn legs_alone(plan: &Plan, resolved: &ResolvedPlan) -> Vec<(String, Plan)> {
    if plan.legs.len() < 2 {
        return Vec::new();
    }
    let alone = |(leg, resolved): (&Leg, &crate::plan::ResolvedLeg)| {
        let mut leg = leg.clone();
        match &mut leg {
            Leg::Lexical(leg) => leg.weight = None,
            Leg::Dense(leg) => leg.weight = None,
        }
        let plan = Plan {
            name: Some(resolved.name.clone()),
            legs: vec![leg],
            fusion: None,
            rerank: None,
            filter: plan.filter.clone(),
            ..Plan::default()
        };
        (format!("{} alone", resolved.name), plan)
    };
    plan.legs.iter().zip(&resolved.legs).map(alone).collect()
}
