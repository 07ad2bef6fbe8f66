//! Queries: JSON lines, tables, TREC topics.

use std::collections::HashSet;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::eval::lines::Lines;

/// A part of a TREC topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicField {
    /// A few words: `<title>`, or `<query>` in XML topics.
    Title,
    /// A sentence: `<desc>`, `<description>` or `<question>`.
    Description,
    /// What is relevant: `<narr>` or `<narrative>`.
    Narrative,
}

impl FromStr for TopicField {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "title" | "t" => Ok(TopicField::Title),
            "desc" | "description" | "d" => Ok(TopicField::Description),
            "narr" | "narrative" | "n" => Ok(TopicField::Narrative),
            _ => Err(Error::invalid_input(format!("topics have no part {name:?}; there are title, desc and narr"))),
        }
    }
}

#[derive(Deserialize)]
struct QueryLine {
    #[serde(rename = "_id", alias = "id", alias = "query_id", alias = "qid")]
    id: serde_json::Value,
    #[serde(alias = "query", alias = "title")]
    text: String,
}

/// [`read_queries_with`], titles of topics.
///
/// # Errors
/// As [`read_queries_with`].
pub fn read_queries(file: &Path) -> Result<Vec<(String, String)>> {
    read_queries_with(file, &[TopicField::Title])
}

/// Queries of a JSONL file (`{"_id": .., "text": ..}`), of a file with `id<TAB>text` lines, or of TREC topics (`<top> <num> <title>`, or
/// XML), whose `fields` are joined: (id, text) in its order. gzip and zstd are undone.
///
/// # Errors
/// `NotFound` when the file is missing; `InvalidInput` with file and line for a malformed line, an id that occurs twice, or a
/// topic without number or without all of `fields`.
pub fn read_queries_with(file: &Path, fields: &[TopicField]) -> Result<Vec<(String, String)>> {
    let mut lines = Lines::open(file)?;
    let mut queries: Vec<Found> = Vec::new();
    while let Some((line_number, line)) = lines.next_line()? {
        let start = line.trim_start();
        if start.is_empty() {
            continue;
        }
        if queries.is_empty() && start.starts_with('<') {
            let before = format!("{}{line}\n", "\n".repeat(lines_before(line_number)));
            let text = before + &lines.into_text()?;
            queries = topics(&text, fields)
                .map_err(|(line, message)| Error::invalid_input(message).at_line(line).in_file(file))?;
            break;
        }
        let (id, text) =
            query(line).map_err(|message| Error::invalid_input(message).at_line(line_number).in_file(file))?;
        queries.push(Found { line: line_number, id, text });
    }
    let mut seen = HashSet::new();
    for Found { line, id, .. } in &queries {
        if !seen.insert(id.as_str()) {
            return Err(Error::invalid_input(format!("query {id:?} occurs twice")).at_line(*line).in_file(file));
        }
    }
    Ok(queries.into_iter().map(|found| (found.id, found.text)).collect())
}

fn lines_before(line_number: u64) -> usize {
    usize::try_from(line_number.saturating_sub(1)).unwrap_or(0)
}

fn query(line: &str) -> Result<(String, String), String> {
    if line.trim_start().starts_with('{') {
        let query: QueryLine = serde_json::from_str(line)
            .map_err(|error| format!("is no query ({error}); expected {{\"_id\": .., \"text\": ..}}"))?;
        let id = query.id.as_str().map_or_else(|| query.id.to_string(), str::to_string);
        return Ok((id, query.text));
    }
    let (id, text) = line.split_once('\t').ok_or("is neither JSON nor `id<TAB>text`")?;
    Ok((id.to_string(), text.to_string()))
}

/// A query and the line where it begins.
struct Found {
    line: u64,
    id: String,
    text: String,
}

/// A topic that is being read.
#[derive(Default)]
struct Topic {
    line: u64,
    number: String,
    title: String,
    description: String,
    narrative: String,
}

/// What the text after a tag belongs to.
#[derive(Clone, Copy)]
enum Part {
    Number,
    Field(TopicField),
}

/// The topics of a file; or in which line something is wrong, and what. Closing tags of parts may be missing, as in TREC's own files.
fn topics(text: &str, fields: &[TopicField]) -> Result<Vec<Found>, (u64, String)> {
    let mut found = Vec::new();
    let mut current: Option<Topic> = None;
    let mut part: Option<Part> = None;
    let mut line = 1;
    for (piece_idx, piece) in text.split('<').enumerate() {
        let (tag, content) = if piece_idx == 0 { ("", piece) } else { piece.split_once('>').unwrap_or(("", piece)) };
        let is_tag = tag.starts_with(|letter: char| letter.is_ascii_alphabetic() || "/!?".contains(letter));
        let name =
            if is_tag { tag.split_whitespace().next().unwrap_or_default().to_ascii_lowercase() } else { String::new() };
        if is_tag {
            part = part_of(&name);
        }
        match name.as_str() {
            "top" | "topic" => {
                if let Some(open) = current.replace(Topic { line, number: number_attribute(tag), ..Topic::default() }) {
                    return Err((open.line, "begins a topic that is not closed".to_string()));
                }
            }
            "/top" | "/topic" => {
                let topic = current.take().ok_or((line, "closes a topic that was not begun".to_string()))?;
                found.push(topic.finish(fields)?);
            }
            _ => {}
        }
        if let (Some(topic), Some(part)) = (current.as_mut(), part) {
            let target = match part {
                Part::Number => &mut topic.number,
                Part::Field(TopicField::Title) => &mut topic.title,
                Part::Field(TopicField::Description) => &mut topic.description,
                Part::Field(TopicField::Narrative) => &mut topic.narrative,
            };
            if !is_tag && piece_idx > 0 {
                // A `<` of the text itself.
                target.push('<');
                target.push_str(piece);
            } else {
                target.push(' ');
                target.push_str(content);
            }
        }
        line += piece.matches('\n').count() as u64;
    }
    match current {
        Some(open) => Err((open.line, "begins a topic that is not closed".to_string())),
        None => Ok(found),
    }
}

fn part_of(tag: &str) -> Option<Part> {
    match tag {
        "num" | "number" => Some(Part::Number),
        "title" | "query" => Some(Part::Field(TopicField::Title)),
        "desc" | "description" | "question" => Some(Part::Field(TopicField::Description)),
        "narr" | "narrative" => Some(Part::Field(TopicField::Narrative)),
        _ => None,
    }
}

/// `3` of `topic number="3" type="faceted"`.
fn number_attribute(tag: &str) -> String {
    let value = tag.split_once("number=").map(|(_, value)| value.trim_start_matches(['"', '\'']));
    value.and_then(|value| value.split(['"', '\'', ' ']).next()).unwrap_or_default().to_string()
}

impl Topic {
    fn finish(self, fields: &[TopicField]) -> Result<Found, (u64, String)> {
        let number = clean(&self.number, &["Number:"]);
        if number.is_empty() {
            return Err((self.line, "begins a topic without a number (<num>)".to_string()));
        }
        let texts = fields.iter().map(|field| match field {
            TopicField::Title => clean(&self.title, &["Topic:", "Title:"]),
            TopicField::Description => clean(&self.description, &["Description:"]),
            TopicField::Narrative => clean(&self.narrative, &["Narrative:"]),
        });
        let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
        if texts.is_empty() {
            return Err((self.line, format!("begins topic {number}, which has none of the parts asked for")));
        }
        Ok(Found { line: self.line, id: number, text: texts.join(" ") })
    }
}

/// Without the label that TREC's files repeat, entities undone, blanks made one.
fn clean(text: &str, labels: &[&str]) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = labels.iter().find_map(|label| text.strip_prefix(label)).unwrap_or(&text);
    let text = text.trim().replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, fields: &[TopicField]) -> Result<Vec<(String, String)>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        read_queries_with(file.path(), fields)
    }

    const TOPICS: &str = "\n<top>\n<num> Number: 301 \n<title> International\nOrganized Crime\n\n<desc> Description: \nIdentify \
                          organizations that participate.\n\n<narr> Narrative:\nA < B &amp; more.\n</top>\n\n<top>\n<num> Number: \
                          302\n<dom> Domain: medicine\n<title>Topic: Polio</title>\n</top>\n";

    #[test]
    fn topics_give_the_parts_asked_for() {
        let pair = |id: &str, text: &str| (id.to_string(), text.to_string());
        let titles = read(TOPICS, &[TopicField::Title]).unwrap();
        assert_eq!(titles, [pair("301", "International Organized Crime"), pair("302", "Polio")]);
        let all = read(TOPICS, &[TopicField::Title, TopicField::Description, TopicField::Narrative]).unwrap();
        let expected = "International Organized Crime Identify organizations that participate. A < B & more.";
        assert_eq!(all[0].1, expected);
        let error = read(TOPICS, &[TopicField::Narrative]).unwrap_err();
        assert_eq!(error.location().line, Some(14), "{error}");
        assert!(error.to_string().contains("302"));
    }

    #[test]
    fn xml_topics_are_read_and_torn_ones_refused() {
        let xml = "<?xml version=\"1.0\"?>\n<topics>\n<topic number=\"7\" type=\"x\">\n<query>serological tests</query>\n\
                   <question>are there tests?</question>\n</topic>\n</topics>\n";
        assert_eq!(read(xml, &[TopicField::Title]).unwrap(), [("7".to_string(), "serological tests".to_string())]);
        assert_eq!(read(xml, &[TopicField::Description]).unwrap()[0].1, "are there tests?");
        let cases = [
            ("<top>\n<num> 1\n<title> a\n", 1, "not closed"),
            ("<top>\n<num> 1\n<title> a\n<top>\n<num> 2\n<title> b\n</top>\n", 1, "not closed"),
            ("<top>\n<title> a\n</top>\n", 1, "number"),
            ("<top><num>1<title>a</top>\n<top>\n<num>1<title>b</top>", 2, "twice"),
        ];
        for (text, line, reason) in cases {
            let error = read(text, &[TopicField::Title]).unwrap_err();
            assert_eq!(error.location().line, Some(line), "{text}: {error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn lines_are_read_and_malformed_ones_named() {
        let title = &[TopicField::Title];
        let read_alike = ["{\"_id\": 1, \"text\": \"a b\"}\n", "1\ta b\r\n\n", "{\"qid\": \"1\", \"query\": \"a b\"}"];
        for text in read_alike {
            assert_eq!(read(text, title).unwrap(), [("1".to_string(), "a b".to_string())], "{text}");
        }
        let cases = [
            ("{\"_id\": \"1\", \"text\": \"a\"}\n{\"_id\": 1}\n", 2, "no query"),
            ("1\ta\n1\tb\n", 2, "twice"),
            ("1\ta\ntwo\n", 2, "neither"),
        ];
        for (text, line, reason) in cases {
            let error = read(text, title).unwrap_err();
            assert_eq!(error.location().line, Some(line), "{text}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn parts_have_their_trec_names() {
        assert_eq!("Desc".parse::<TopicField>().unwrap(), TopicField::Description);
        assert!("body".parse::<TopicField>().unwrap_err().to_string().contains("narr"));
    }
}
