//! Queries with what counts as relevant, where somebody wrote it down.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::session::Topic;
use crate::error::Result;
use crate::eval::dataset::{TopicField, read_queries, read_queries_with};
use crate::eval::lines::Lines;

/// The queries of a file, as [`read_queries`], with their narratives: of TREC topics the description and the narrative, of JSON
/// lines `description` and `narrative`, beside `text` or in `metadata`.
///
/// # Errors
/// As [`read_queries`].
pub fn read_topics(file: &Path) -> Result<Vec<Topic>> {
    let queries = read_queries(file)?;
    let mut narratives = narratives(file)?;
    let topic = |(id, text): (String, String)| {
        let narrative = narratives.remove(&id).filter(|narrative| *narrative != text).unwrap_or_default();
        Topic { id, text, narrative }
    };
    Ok(queries.into_iter().map(topic).collect())
}

fn narratives(file: &Path) -> Result<HashMap<String, String>> {
    let mut lines = Lines::open(file)?;
    let mut narratives = HashMap::new();
    while let Some((_, line)) = lines.next_line()? {
        if line.trim_start().starts_with('<') && narratives.is_empty() {
            // Topics may lack both parts, which is no fault here.
            let fields = [TopicField::Description, TopicField::Narrative];
            return Ok(read_queries_with(file, &fields).unwrap_or_default().into_iter().collect());
        }
        let Ok(Value::Object(query)) = serde_json::from_str(line) else { continue };
        let part = |name: &&str| query.get(*name).or_else(|| query.get("metadata")?.get(*name))?.as_str();
        let parts: Vec<&str> = ["description", "narrative"].iter().filter_map(part).collect();
        let id = ["_id", "id", "query_id", "qid"].iter().find_map(|name| query.get(*name));
        if let (Some(id), false) = (id, parts.is_empty()) {
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_string);
            narratives.insert(id, parts.join("\n"));
        }
    }
    Ok(narratives)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narratives_of(text: &str) -> Vec<(String, String)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        read_topics(file.path()).unwrap().into_iter().map(|topic| (topic.text, topic.narrative)).collect()
    }

    #[test]
    fn narratives_of_json_lines_and_of_topics() {
        let found = narratives_of(concat!(
            "{\"_id\": \"1\", \"text\": \"wing\", \"narrative\": \"measured lift\"}\n",
            "{\"_id\": 2, \"text\": \"oven\", \"metadata\": {\"description\": \"Which ovens?\", \"narrative\": \"hot ones\"}}\n",
            "{\"_id\": \"3\", \"text\": \"bread\", \"metadata\": {}}\n",
        ));
        let expected = [("wing", "measured lift"), ("oven", "Which ovens?\nhot ones"), ("bread", "")];
        assert_eq!(found, expected.map(|(text, narrative)| (text.to_string(), narrative.to_string())));
        let found = narratives_of(
            "<top>\n<num> Number: 1\n<title> wing\n<desc> Description:\nWhich wings lift?\n<narr> Narrative:\nMeasured ones.\n</top>\n",
        );
        assert_eq!(found, [("wing".to_string(), "Which wings lift? Measured ones.".to_string())]);
    }

    #[test]
    fn queries_without_narratives_are_queries() {
        assert_eq!(narratives_of("1\twing\n2\toven\n").len(), 2);
        let found = narratives_of("<top>\n<num> 1\n<title> wing\n</top>\n");
        assert_eq!(found, [("wing".to_string(), String::new())]);
    }
}
