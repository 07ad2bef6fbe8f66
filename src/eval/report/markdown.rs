//! The comparison as GitHub Markdown.

use super::comparison::Comparison;
use super::parts::{Grid, Part, parts};

/// The same as [`super::table()`] in GitHub's Markdown, to paste into an issue or a README.
pub fn markdown(comparison: &Comparison) -> String {
    let mut texts: Vec<String> = parts(comparison).iter().map(part).collect();
    if !comparison.command.is_empty() {
        texts.push(format!("{}\n", code(&comparison.command)));
    }
    texts.join("\n")
}

fn part(part: &Part) -> String {
    let mut text = String::new();
    if !part.title.is_empty() {
        text += &format!("### {}\n\n", escape(&part.title));
    }
    for line in &part.before {
        text += &format!("{}\n\n", inline(line));
    }
    text += &grid(&part.grid);
    let mut was_item = false;
    for line in &part.after {
        let is_item = line.starts_with("note: ") || line.starts_with("warning: ");
        let before = if is_item && was_item { "" } else { "\n" };
        text += &format!("{before}{}{}\n", if is_item { "- " } else { "" }, inline(line));
        was_item = is_item;
    }
    text
}

fn grid(grid: &Grid) -> String {
    let line: Vec<&str> = (0..grid.header.len()).map(|idx| if idx < grid.num_left { "---" } else { "---:" }).collect();
    let header: Vec<String> = grid.header.iter().map(|cell| escape(cell.trim())).collect();
    let mut text = format!("| {} |\n| {} |\n", header.join(" | "), line.join(" | "));
    for (row, cells) in grid.rows.iter().enumerate() {
        let cells = cells.iter().enumerate().map(|(column, cell)| {
            let cell = escape(cell.trim());
            if grid.best.contains(&(row, column)) { format!("**{cell}**") } else { cell }
        });
        text += &format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    text
}

/// A line of text in which what stands between backticks is code.
fn inline(line: &str) -> String {
    let pieces: Vec<&str> = line.split('`').collect();
    let is_paired = pieces.len() % 2 == 1 && pieces.iter().skip(1).step_by(2).all(|piece| !piece.trim().is_empty());
    if !is_paired {
        return escape(line);
    }
    let written = pieces.iter().enumerate().map(|(idx, piece)| {
        if idx % 2 == 0 { escape(piece) } else { format!("`{}`", piece.replace(char::is_control, " ")) }
    });
    written.collect()
}

/// What Markdown or HTML would take for markup, taken literally.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            '\\' | '*' | '_' | '|' | '[' | ']' | '#' | '!' | '`' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A code block that its content cannot end.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}console\n$ {text}\n{fence}")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_row_has_the_cells_of_its_header() {
        for comparison in [sample::comparison(30), sample::hostile(30)] {
            let text = markdown(&comparison);
            let mut num_cells = None;
            for line in text.lines() {
                if !line.starts_with('|') {
                    num_cells = None;
                    continue;
                }
                let own = line.replace("\\|", "").matches('|').count();
                assert_eq!(*num_cells.get_or_insert(own), own, "{line}");
            }
            assert!(text.contains("| plan | nDCG") || text.contains("| plan | ndcg"), "{text}");
        }
    }

    #[test]
    fn nothing_becomes_markup() {
        let text = markdown(&sample::hostile(30));
        let text = text.split("```").next().unwrap().replace("\\`", "");
        let outside_code: String = text.split('`').step_by(2).collect();
        for markup in ["<script", "<img", "<b>"] {
            assert!(text.contains("&lt;script") && !outside_code.contains(markup), "{outside_code}");
        }
        assert_eq!(escape("a|b *c* <d> [e](f) `g`"), "a\\|b \\*c\\* &lt;d&gt; \\[e\\](f) \\`g\\`");
        assert!(code("a ``` b").starts_with("````console\n"));
    }
}
