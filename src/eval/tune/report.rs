//! What came of tuning, in words and as a table for the terminal.

use super::simulate::Simulation;
use super::{Difference, HeldOut, Tuned};

/// Differences that tuning typically brings: .020 nDCG@10 over ten collections by the lexical share alone (`design.md`).
/// Queries that cannot tell so much deserve a warning.
const TYPICAL_GAIN: f64 = 0.02;

/// What to be careful about.
pub(super) fn warnings(tuned: &Tuned) -> Vec<String> {
    let mut warnings = Vec::new();
    if tuned.power.detectable > TYPICAL_GAIN {
        warnings.push(format!("the queries are few: {}", power(tuned)));
    }
    let changed = tuned.folds.iter().filter(|fold| fold.choice != "no change").count();
    if changed > 0 && changed < tuned.folds.len() {
        warnings.push(format!("the choice is not stable: {changed} of {} folds change the plan", tuned.folds.len()));
    }
    if let Some(above) = above_default(tuned)
        && above.mean < 0.0
        && !tuned.changes.is_empty()
    {
        warnings.push(format!(
            "on held-out queries the choices lose {:.4} against the plan as it was: rather keep that one",
            -above.mean
        ));
    }
    for row in tuned.held_out.iter().skip(2) {
        if let Some(above) = &row.tuned_above
            && above.interval[1] < 0.0
        {
            warnings
                .push(format!("{} is better than the tuned plan by {:.4} on held-out queries", row.name, -above.mean));
        }
    }
    warnings
}

/// What so many queries can tell.
fn power(tuned: &Tuned) -> String {
    let Tuned { num_queries, power, power_between: [one, other], .. } = tuned;
    let needed = power.queries_needed.filter(|&needed| needed > *num_queries as u64);
    let needed = needed.map(|needed| format!("; a difference as large as the one seen takes {needed} queries"));
    format!(
        "{num_queries} tell plans apart (such as {one} from {other}) that differ by {:.3} or more, four times of five (p < .05){}",
        power.detectable,
        needed.unwrap_or_default()
    )
}

/// The outcome in a sentence: `weight 0.4 -> 0.22: held-out ndcg@10 +0.0310 [+0.0180, +0.0440]`.
pub(super) fn verdict(tuned: &Tuned) -> String {
    if tuned.changes.is_empty() {
        return "kept the plan as it was: the data do not say otherwise".to_string();
    }
    let changes: Vec<String> =
        tuned.changes.iter().map(|change| format!("{} {} -> {}", change.key, change.from, change.to)).collect();
    let above = above_default(tuned).map(|above| format!(": held-out {} {}", tuned.measure, gain(above)));
    format!("{}{}", changes.join(", "), above.unwrap_or_default())
}

fn above_default(tuned: &Tuned) -> Option<&Difference> {
    tuned.held_out.get(1)?.tuned_above.as_ref()
}

fn gain(difference: &Difference) -> String {
    format!("{:+.4} [{:+.4}, {:+.4}]", difference.mean, difference.interval[0], difference.interval[1])
}

/// The report for the terminal.
pub fn table(tuned: &Tuned) -> String {
    let mut text = format!(
        "{}: {} judged queries, {} folds, seed {}, {}\n\n",
        tuned.dataset, tuned.num_queries, tuned.num_folds, tuned.seed, tuned.measure
    );
    let rows = tuned.held_out.iter().map(held_out_row).collect();
    text += &grid(&["held out", &tuned.measure, "95 % interval", "tuned is above by", "p"], rows);
    text.push('\n');
    let fold = |(number, fold): (usize, &super::Fold)| {
        vec![
            number.to_string(),
            format!("{}/{}", fold.num_training, fold.num_held_out),
            format!("{:.4}", fold.default),
            format!("{:.4}", fold.tuned),
            fold.choice.clone(),
        ]
    };
    text += &grid(
        &["fold", "tuned on/held out", "as it was", "tuned", "choice"],
        (1..).zip(&tuned.folds).map(fold).collect(),
    );
    text.push('\n');
    for step in &tuned.steps {
        text += &format!("{}: {}: {}\n", step.axis, if step.changed { "changed" } else { "kept" }, step.why);
    }
    text.push('\n');
    if tuned.power.detectable <= TYPICAL_GAIN {
        text += &format!("queries: {}\n", power(tuned));
    }
    for warning in &tuned.warnings {
        text += &format!("warning: {warning}\n");
    }
    text += &format!("{}\n", tuned.verdict);
    text
}

fn held_out_row(row: &HeldOut) -> Vec<String> {
    let above = row.tuned_above.as_ref();
    vec![
        row.name.clone(),
        format!("{:.4}", row.mean),
        format!("[{:.4}, {:.4}]", row.interval[0], row.interval[1]),
        above.map(gain).unwrap_or_default(),
        above.map(|above| format!("{:.3}", above.p_randomisation)).unwrap_or_default(),
    ]
}

/// The trials for the terminal.
pub fn simulation_table(simulation: &Simulation) -> String {
    let num_trials: usize = simulation.choices.iter().map(|(_, count)| count).sum();
    let mut text = format!(
        "{}: {} tuned on {} random queries, reported on the other {}, {num_trials} times; {} {:.4}\n\n",
        simulation.dataset,
        simulation.plan,
        simulation.num_training,
        simulation.num_reported,
        simulation.measure,
        simulation.tuned
    );
    let row = |against: &super::simulate::Against| {
        vec![
            against.name.clone(),
            format!("{:.4}", against.mean),
            format!("{:+.4}", against.gain),
            format!("± {:.4}", against.error_over_trials),
            format!("{:+.4}", against.worst),
            format!("{:+.4}", against.best),
            format!("{}/{num_trials}", against.num_losses),
            format!("[{:+.4}, {:+.4}]", against.over_queries.interval[0], against.over_queries.interval[1]),
            format!("{:.3}", against.over_queries.p_randomisation),
        ]
    };
    text += &grid(
        &[
            "tuned against",
            &simulation.measure,
            "gain",
            "error over draws",
            "worst",
            "best",
            "losses",
            "95 % over queries",
            "p",
        ],
        simulation.against.iter().map(row).collect(),
    );
    let choices: Vec<String> = simulation.choices.iter().map(|(choice, count)| format!("{choice} ({count})")).collect();
    text += &format!("\nchoices: {}\n", choices.join(", "));
    text
}

/// Cells under each other, two blanks apart.
fn grid(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut lines: Vec<Vec<String>> = vec![header.iter().map(ToString::to_string).collect()];
    lines.extend(rows);
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..header.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |cells: &Vec<String>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}
