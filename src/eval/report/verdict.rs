//! Who wins, in a sentence or two: what an evaluator would write above the table, no more than the tests support.
//!
//! Plan names stand between backticks, which table and Markdown keep and HTML replaces.

use super::comparison::{Comparison, PlanResult};
use super::wording::{interval, is_significant, label, mean, queries, signed, value};

/// The sentences; empty without plans.
pub(super) fn verdict(comparison: &Comparison) -> String {
    let Some(first) = comparison.plans.first() else { return String::new() };
    let measure = label(&comparison.primary);
    let mean_of = |plan: &PlanResult| mean(plan, &comparison.primary);
    let Some(best) = comparison
        .plans
        .iter()
        .filter(|plan| !mean_of(plan).is_nan())
        .reduce(|best, plan| if mean_of(plan) > mean_of(best) { plan } else { best })
    else {
        return String::new();
    };
    if comparison.plans.len() == 1 {
        let num_queries = queries(comparison.queries.len() as u64);
        return format!("{} reaches {measure} {} over {num_queries}.", name(first), value(mean_of(first)));
    }
    let mut sentences = vec![against_first(comparison, first, best, &measure)];
    sentences.extend(near_best(comparison, best, &measure));
    sentences.join(" ")
}

fn against_first(comparison: &Comparison, first: &PlanResult, best: &PlanResult, measure: &str) -> String {
    let best_mean = value(mean(best, &comparison.primary));
    if std::ptr::eq(best, first) {
        let differences = comparison.plans.iter().filter_map(|plan| plan.against_first.get(&comparison.primary));
        let (num_worse, num_others) =
            (differences.filter(|difference| is_significant(difference)).count(), comparison.plans.len() - 1);
        let others = match (num_worse, num_others) {
            (0, _) => "none of the differences to it is significant".to_string(),
            (num_worse, num_others) if num_worse == num_others => "the others are significantly worse".to_string(),
            (num_worse, num_others) => format!("{num_worse} of the other {num_others} are significantly worse"),
        };
        return format!("No plan is better than {} in {measure}: it reaches {best_mean}, and {others}.", name(first));
    }
    let Some(difference) = best.against_first.get(&comparison.primary) else {
        return format!("{} is best in {measure}: {best_mean}.", name(best));
    };
    let far = format!(
        "{} against {} (95 % interval {})",
        signed(difference.mean),
        name(first),
        interval(difference.interval)
    );
    if is_significant(difference) {
        format!("{} is best in {measure}: {best_mean}, {far}, significant in both tests.", name(best))
    } else {
        format!(
            "{} has the highest {measure}, {best_mean}: {far}. That is not significant; these {} do not tell the two apart.",
            name(best),
            queries(comparison.queries.len() as u64)
        )
    }
}

/// Plans as good as the best for all that is known: only differences to the first plan are tested.
fn near_best(comparison: &Comparison, best: &PlanResult, measure: &str) -> Option<String> {
    let best_mean = mean(best, &comparison.primary);
    let [low, _] = *best.intervals.get(&comparison.primary)?;
    let is_near = |plan: &&PlanResult| {
        !std::ptr::eq(*plan, best) && best_mean - mean(plan, &comparison.primary) < (best_mean - low) / 2.0
    };
    let near: Vec<&PlanResult> = comparison.plans.iter().skip(1).filter(is_near).collect();
    let farthest = near.iter().map(|plan| best_mean - mean(plan, &comparison.primary)).fold(0.0, f64::max);
    let names = match near.as_slice() {
        [] => return None,
        [one] => format!("{} is", name(one)),
        [one, two] => format!("{} and {} are", name(one), name(two)),
        [one, .., last] => format!("{}, {} and {} others are", name(one), name(last), near.len() - 2),
    };
    Some(format!(
        "{names} within {} of it in {measure}; these plans were not tested against each other.",
        value(farthest)
    ))
}

fn name(plan: &PlanResult) -> String {
    format!("`{}`", plan.name.replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_best_plan_is_named_with_what_the_tests_say() {
        let comparison = sample::comparison(225);
        let text = verdict(&comparison);
        assert!(text.starts_with("`hybrid-rerank` is best in "), "{text}");
        assert!(text.contains("significant in both tests"), "{text}");
    }

    #[test]
    fn a_lead_that_may_be_chance_is_called_so() {
        let mut comparison = sample::comparison(225);
        comparison.plans.truncate(2);
        let mean = comparison.plans[0].metrics["ndcg@10"] + 0.001;
        comparison.plans[1].metrics.insert("ndcg@10".into(), mean);
        comparison.plans[1].against_first.get_mut("ndcg@10").unwrap().p_randomisation_holm = 0.3;
        let text = verdict(&comparison);
        assert!(text.starts_with("`dense` has the highest ") && text.contains("do not tell the two apart"), "{text}");
    }

    #[test]
    fn a_first_plan_that_stays_best_and_a_plan_alone_are_said() {
        let mut comparison = sample::comparison(225);
        comparison.plans[0].metrics.insert("ndcg@10".into(), 0.99);
        assert!(verdict(&comparison).starts_with("No plan is better than `lexical`"), "{}", verdict(&comparison));
        comparison.plans.truncate(1);
        assert!(verdict(&comparison).contains("0.9900 over 225 queries"), "{}", verdict(&comparison));
        assert_eq!(verdict(&Comparison::default()), "");
    }
}
