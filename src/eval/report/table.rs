//! The table for the terminal.

use super::comparison::Comparison;
use super::parts::{Grid, Part, parts};
use super::wording::cut;

/// A terminal that is made wide enough for figures, and no wider.
const WIDTH: usize = 106;
const GAP: usize = 2;
/// Longer plan names are cut.
const NAME: usize = 40;

/// The table for the terminal: first the plans with their measures, then what goes with it (conditions, warnings, significance,
/// complementarity, worth of re-ranking, slices, the largest wins and losses). Plain text without colours, 106 columns at most; a
/// table that is wider continues below, with its first column repeated.
pub fn table(comparison: &Comparison) -> String {
    let texts: Vec<String> = parts(comparison).iter().map(part).collect();
    texts.join("\n")
}

fn part(part: &Part) -> String {
    let mut text = String::new();
    if !part.title.is_empty() {
        text += &format!("{}\n", cut(&part.title, WIDTH));
    }
    for line in &part.before {
        text += &wrap(line);
    }
    if !part.before.is_empty() {
        text.push('\n');
    }
    text += &grid(&part.grid);
    if !part.after.is_empty() && !part.before.is_empty() {
        text.push('\n');
    }
    if !part.grid.best.is_empty() {
        text += "[ ] best of its column\n";
    }
    for line in &part.after {
        text += &wrap(line);
    }
    text
}

fn grid(grid: &Grid) -> String {
    let cells = |row: Option<usize>, texts: &[String]| -> Vec<String> {
        let written = texts.iter().enumerate().map(|(column, text)| {
            let text = cut(text, if column == 0 { NAME } else { WIDTH / 2 });
            if row.is_some_and(|row| grid.best.contains(&(row, column))) {
                format!("[{text}]")
            } else if grid.best.iter().any(|(_, marked)| *marked == column) {
                format!("{text} ")
            } else {
                text
            }
        });
        written.collect()
    };
    let mut lines: Vec<Vec<String>> = vec![cells(None, &grid.header)];
    lines.extend(grid.rows.iter().enumerate().map(|(row, texts)| cells(Some(row), texts)));
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..grid.header.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for block in blocks(&widths) {
        if !text.is_empty() {
            text.push('\n');
        }
        for line in &lines {
            let written: Vec<String> = block
                .iter()
                .filter_map(|&column| Some((column, line.get(column)?, *widths.get(column)?)))
                .map(
                    |(column, cell, width)| {
                        if column < grid.num_left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                    },
                )
                .collect();
            text += written.join(&" ".repeat(GAP)).trim_end();
            text.push('\n');
        }
    }
    text
}

/// The columns of each block: as many as fit, the first one in all.
fn blocks(widths: &[usize]) -> Vec<Vec<usize>> {
    let first = widths.first().copied().unwrap_or(0);
    let mut blocks: Vec<Vec<usize>> = Vec::new();
    let mut used = WIDTH + 1;
    for (column, width) in widths.iter().enumerate().skip(1) {
        if used + GAP + width > WIDTH {
            blocks.push(vec![0]);
            used = first;
        }
        used += GAP + width;
        if let Some(block) = blocks.last_mut() {
            block.push(column);
        }
    }
    blocks
}

/// The line in lines of [`WIDTH`] at most, broken at spaces; what follows is indented.
fn wrap(line: &str) -> String {
    let mut text = String::new();
    let mut used = 0;
    for word in line.split_whitespace() {
        let width = word.chars().count();
        if used > 0 && used + 1 + width > WIDTH {
            text += "\n  ";
            used = 2;
        } else if used > 0 {
            text.push(' ');
            used += 1;
        }
        text.extend(word.chars().filter(|c| !c.is_control()));
        used += width;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_table_is_narrow_and_says_it_all() {
        let comparison = sample::comparison(225);
        let text = table(&comparison);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= WIDTH, "{widest}\n{text}");
        let row = text.lines().find(|line| line.starts_with("hybrid-rerank ")).unwrap();
        let mean = format!("[{:.4}]", comparison.plans[5].metrics["ndcg@10"]);
        assert!(row.contains(&mean) && row.contains('*') && row.contains("163"), "{row}");
        for expected in [
            "cranfield: 225 queries, 1,400 documents, 1,837 judgments",
            "warning: 4 judged documents",
            "note: means over",
            "against lexical, query by query",
            "Relevant documents that lexical and dense find",
            "recommendation: re-rank 20 candidates",
            "by lexical overlap",
            "Where hybrid rrf.k=100 wins and loses most against lexical",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let mut comparison = sample::comparison(20);
        comparison.plans.truncate(1);
        let plan = &mut comparison.plans[0];
        (plan.latency_ms, plan.queries_per_second) = (None, None);
        plan.slices.clear();
        comparison.complementarity.clear();
        comparison.reranking.clear();
        (comparison.index, comparison.warnings, comparison.conditions) = (None, Vec::new(), Vec::new());
        let text = table(&comparison);
        assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 4, "{text}");
        assert!(!text.contains("p50") && !text.contains('['), "{text}");
        assert_eq!(table(&Comparison::default()).lines().next(), Some(": 0 queries"));
    }

    #[test]
    fn many_measures_continue_below() {
        let mut comparison = sample::comparison(20);
        for idx in 0..12 {
            comparison.measures.push(format!("measure-{idx}"));
            for plan in &mut comparison.plans {
                plan.metrics.insert(format!("measure-{idx}"), 0.5);
            }
        }
        let text = table(&comparison);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        let headers: Vec<&str> = text.lines().filter(|line| line.starts_with("plan ")).collect();
        assert!(headers[0].contains("measure-0") && !headers[0].contains("p50 ms"), "{text}");
        assert!(headers[1..].iter().any(|header| header.contains("p50 ms")), "{text}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut comparison = sample::hostile(20);
        comparison.queries[0].text = "\u{1b}[31mred\nline".into();
        comparison.plans[1].name = "a\u{1b}[2J".into();
        comparison.warnings.push("a\u{1b}[2J".into());
        assert!(!table(&comparison).contains('\u{1b}'));
    }
}
