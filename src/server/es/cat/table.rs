//! The tables of `_cat`: columns with names and aliases, rows of cells; printed as text or JSON.

use serde_json::{Map, Value, json};

use crate::server::es::error::{EsError, EsResult};
use crate::server::es::filter_path::matches;
use crate::server::es::media::Format;
use crate::server::es::render::Rendering;
use crate::server::es::request::Params;
use crate::server::es::response::EsResponse;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Other names of it, between commas.
    pub(super) aliases: &'static str,
    pub(super) description: &'static str,
    /// Shown where `h` does not choose.
    pub(super) is_default: bool,
}

/// A column that is shown.
pub(super) const fn column(name: &'static str, aliases: &'static str, description: &'static str) -> Column {
    Column { name, aliases, description, is_default: true }
}

/// A column that is shown where it is asked for.
pub(super) const fn extra(name: &'static str, aliases: &'static str, description: &'static str) -> Column {
    Column { name, aliases, description, is_default: false }
}

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Number(u64),
    Float(f64),
    Bytes(u64),
    /// Shown as `-` where text has no value.
    Missing,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Cell {
    pub(super) fn count(number: usize) -> Self {
        Self::Number(number as u64)
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Float(_) | Self::Bytes(_))
    }

    fn key(&self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "for ordering rows")]
            Self::Number(number) | Self::Bytes(number) => *number as f64,
            Self::Float(number) => *number,
            Self::Text(_) | Self::Missing => f64::NEG_INFINITY,
        }
    }

    fn print(&self, unit: ByteUnit) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Float(number) => Some(format!("{number:.2}")),
            Self::Bytes(bytes) => Some(unit.print(*bytes)),
            Self::Missing => None,
        }
    }
}

/// How bytes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteUnit {
    /// With a unit that fits: `1.5kb`.
    Fitting,
    /// In a unit, without its name: a shift of 10 a step.
    Fixed(u32),
}

impl ByteUnit {
    fn read(params: &Params) -> EsResult<Self> {
        match params.str("bytes") {
            None => Ok(Self::Fitting),
            Some("b") => Ok(Self::Fixed(0)),
            Some("k" | "kb") => Ok(Self::Fixed(10)),
            Some("m" | "mb") => Ok(Self::Fixed(20)),
            Some("g" | "gb") => Ok(Self::Fixed(30)),
            Some("t" | "tb") => Ok(Self::Fixed(40)),
            Some("p" | "pb") => Ok(Self::Fixed(50)),
            Some(other) => Err(EsError::illegal_argument(format!("unknown unit [{other}] of the parameter [bytes]"))),
        }
    }

    fn print(self, bytes: u64) -> String {
        match self {
            Self::Fixed(shift) => (bytes >> shift).to_string(),
            Self::Fitting => human_bytes(bytes),
        }
    }
}

/// `1023b`, `1kb`, `1.4mb`: one digit after the point, cut, as Elasticsearch prints sizes.
fn human_bytes(bytes: u64) -> String {
    let units = [(50, "pb"), (40, "tb"), (30, "gb"), (20, "mb"), (10, "kb")];
    for (shift, unit) in units {
        if bytes >> shift > 0 {
            let tenths = (u128::from(bytes) * 10) >> shift;
            let (whole, tenth) = (tenths / 10, tenths % 10);
            return if tenth == 0 { format!("{whole}{unit}") } else { format!("{whole}.{tenth}{unit}") };
        }
    }
    format!("{bytes}b")
}

/// Rows with one cell a column.
#[derive(Debug)]
pub(super) struct Table {
    columns: &'static [Column],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(columns: &'static [Column]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; a cell that is not given is missing.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The answer, as `h`, `s`, `v`, `help`, `bytes` and `format` want it.
    ///
    /// # Errors
    /// `illegal_argument_exception` for a column that `s` names and there is not; and what [`Params::finish`] refuses.
    pub(super) fn answer(self, params: &Params, rendering: &Rendering) -> EsResult<EsResponse> {
        let unit = ByteUnit::read(params)?;
        // Times are always printed with their unit.
        params.accept(&["local", "master_timeout", "time", "pri", "include_unloaded_segments", "expand_wildcards"]);
        let (header, help) = (params.bool_or("v", false)?, params.bool_or("help", false)?);
        let shown = self.chosen(params.list("h").as_deref());
        let sorted = params.list("s").unwrap_or_default();
        params.finish()?;
        if help {
            return Ok(EsResponse::text(self.help()));
        }
        let mut rows = self.rows.clone();
        self.sort(&mut rows, &sorted)?;
        match rendering.asked() {
            Some(Format::Json | Format::Yaml) => Ok(EsResponse::json(json_rows(&shown, &rows, unit))),
            Some(Format::Text) | None => Ok(EsResponse::text(text_rows(&shown, &rows, unit, header))),
        }
    }

    /// The places and names of the columns that are shown; a name that is no column's shows nothing.
    fn chosen(&self, wanted: Option<&[String]>) -> Vec<(usize, String)> {
        let all = self.columns.iter().enumerate();
        let Some(wanted) = wanted else {
            return all
                .filter(|(_, column)| column.is_default)
                .map(|(at, column)| (at, column.name.to_string()))
                .collect();
        };
        let mut chosen: Vec<(usize, String)> = Vec::new();
        for name in wanted {
            if name.contains('*') {
                for (at, column) in self.columns.iter().enumerate().filter(|(_, column)| matches(name, column.name)) {
                    if !chosen.iter().any(|(other, _)| *other == at) {
                        chosen.push((at, column.name.to_string()));
                    }
                }
            } else if let Some(at) = self.find(name) {
                // The header repeats the name that was asked for.
                chosen.push((at, name.clone()));
            }
        }
        chosen
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name == name || column.aliases.split(',').any(|alias| alias == name))
    }

    fn sort(&self, rows: &mut [Vec<Cell>], keys: &[String]) -> EsResult<()> {
        let mut order = Vec::new();
        for key in keys {
            let (name, is_descending) = match key.split_once(':') {
                Some((name, "desc")) => (name, true),
                Some((name, "asc")) => (name, false),
                _ => (key.as_str(), false),
            };
            let at = self.find(name).ok_or_else(|| {
                EsError::new(
                    400,
                    "unsupported_operation_exception",
                    format!("Unable to sort by unknown sort key `{name}`"),
                )
            })?;
            order.push((at, is_descending));
        }
        let text = |cell: &Cell| cell.print(ByteUnit::Fitting);
        rows.sort_by(|left, right| {
            let mut compared = order.iter().map(|(at, is_descending)| {
                let (left, right) = (left.get(*at).unwrap_or(&Cell::Missing), right.get(*at).unwrap_or(&Cell::Missing));
                let ordering = left.key().total_cmp(&right.key()).then_with(|| match left.is_number() {
                    true => std::cmp::Ordering::Equal,
                    false => text(left).cmp(&text(right)),
                });
                if *is_descending { ordering.reverse() } else { ordering }
            });
            compared.find(|ordering| ordering.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        Ok(())
    }

    fn help(&self) -> String {
        let width = |of: fn(&Column) -> &str| self.columns.iter().map(|column| of(column).len()).max().unwrap_or(0);
        let (names, aliases) = (width(|column| column.name), width(|column| column.aliases));
        let lines = self
            .columns
            .iter()
            .map(|column| format!("{:names$} | {:aliases$} | {}\n", column.name, column.aliases, column.description));
        lines.collect()
    }
}

fn json_rows(shown: &[(usize, String)], rows: &[Vec<Cell>], unit: ByteUnit) -> Value {
    let object = |row: &Vec<Cell>| -> Map<String, Value> {
        let cell = |at: usize| row.get(at).and_then(|cell| cell.print(unit));
        shown.iter().map(|(at, name)| (name.clone(), json!(cell(*at)))).collect()
    };
    rows.iter().map(|row| Value::Object(object(row))).collect()
}

fn text_rows(shown: &[(usize, String)], rows: &[Vec<Cell>], unit: ByteUnit, header: bool) -> String {
    let mut lines: Vec<Vec<(String, bool)>> = Vec::new();
    if header {
        let is_number = |at: usize| rows.first().and_then(|row| row.get(at)).is_some_and(Cell::is_number);
        lines.push(shown.iter().map(|(at, name)| (name.clone(), is_number(*at))).collect());
    }
    for row in rows {
        let cell = |at: usize| row.get(at).unwrap_or(&Cell::Missing);
        let printed = |at: usize| (cell(at).print(unit).unwrap_or_default(), cell(at).is_number());
        lines.push(shown.iter().map(|(at, _)| printed(*at)).collect());
    }
    let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|(text, _)| text.chars().count()).max();
    let widths: Vec<usize> = (0..shown.len()).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in &lines {
        for (at, ((cell, is_number), width)) in line.iter().zip(&widths).enumerate() {
            if at > 0 {
                text.push(' ');
            }
            let padding = width - cell.chars().count();
            let is_last = at + 1 == line.len();
            if *is_number {
                text.extend(std::iter::repeat_n(' ', padding));
            }
            text.push_str(cell);
            if !*is_number && !is_last {
                text.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    const COLUMNS: &[Column] =
        &[column("index", "i,idx", "the name"), column("docs", "d", "how many"), extra("size", "s", "bytes")];

    fn table() -> Table {
        let mut table = Table::new(COLUMNS);
        table.row(["books".into(), Cell::Number(7), Cell::Bytes(1536)]);
        table.row(["a".into(), Cell::Number(12), Cell::Bytes(3 << 20)]);
        table
    }

    fn answer(query: &str) -> String {
        let rendering = Rendering::read(query, &HeaderMap::new(), Default::default()).unwrap();
        format!("{:?}", table().answer(&Params::parse("/_cat/x", query), &rendering))
    }

    #[test]
    fn columns_are_chosen_sorted_and_printed() {
        for (query, expected) in [
            ("", "books  7\\na     12\\n"),
            ("v", "index docs\\nbooks    7\\na       12\\n"),
            ("h=i,size&v", "i      size\\nbooks 1.5kb\\na       3mb\\n"),
            ("h=size&bytes=b", "   1536\\n3145728\\n"),
            ("h=idx&s=docs:desc", "a\\nbooks\\n"),
            ("h=index&s=index", "a\\nbooks\\n"),
            ("h=*s,nothing&s=i", "12\\n 7\\n"),
            ("help", "index | i,idx | the name\\ndocs  | d     | how many\\nsize  | s     | bytes\\n"),
            ("format=json&h=i,docs", r#"Array [Object {"i": String("books"), "docs": String("7")}"#),
            ("s=zebra", "unknown sort key `zebra`"),
            ("zebra", "unrecognized parameter: [zebra]"),
            ("bytes=x", "[bytes]"),
        ] {
            let answer = answer(query);
            assert!(answer.contains(expected), "{query}: {answer}");
        }
    }

    #[test]
    fn sizes_are_cut_to_a_digit() {
        for (bytes, text) in
            [(0, "0b"), (1023, "1023b"), (1024, "1kb"), (1536, "1.5kb"), (5 << 30, "5gb"), (u64::MAX, "16383.9pb")]
        {
            assert_eq!(human_bytes(bytes), text);
        }
    }
}
