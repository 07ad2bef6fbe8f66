//! The order of segments in `meta.json`: as they were made, as in Lucene.
//!
//! Tantivy lists the largest segment first and keeps no other order. Documents that are equal by all else come in the order of the
//! segments, and Elasticsearch's users expect those that were indexed first to come first. So the list is put in order whenever it
//! is written: known segments stay where they are, what a merge made stands where the first of its sources stood, new ones come last.

use serde_json::Value;

/// The new `meta.json` with its segments in order; `None` where nothing is to be changed, or either text is none.
pub(super) fn in_order(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let old: Value = serde_json::from_slice(old).ok()?;
    let mut meta: Value = serde_json::from_slice(new).ok()?;
    let meta_stamp = meta.get("opstamp").cloned();
    let known = old.get("segments")?.as_array()?;
    let listed = meta.get_mut("segments")?.as_array_mut()?;
    if listed.len() < 2 {
        return None;
    }
    let before: Vec<&str> = known.iter().filter_map(id).collect();
    let after: Vec<&str> = listed.iter().filter_map(id).collect();
    // A commit has a stamp of its own; the end of a merge repeats that of the last commit.
    let is_merge = old.get("opstamp") == meta_stamp.as_ref();
    let first_gone = before.iter().position(|id| !after.contains(id)).filter(|_| is_merge);
    let place = |segment: &Value| -> usize {
        match id(segment).and_then(|id| before.iter().position(|known| *known == id)) {
            Some(place) => place,
            None => first_gone.unwrap_or(known.len()),
        }
    };
    let mut ordered = listed.clone();
    ordered.sort_by_key(place);
    if ordered == *listed {
        return None;
    }
    *listed = ordered;
    let mut text = serde_json::to_vec_pretty(&meta).ok()?;
    text.push(b'\n');
    Some(text)
}

fn id(segment: &Value) -> Option<&str> {
    segment.get("segment_id").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn meta(opstamp: u64, segments: &str) -> Vec<u8> {
        let segments: Vec<Value> = segments.split(' ').map(|id| json!({"segment_id": id, "max_doc": 1})).collect();
        serde_json::to_vec(&json!({"segments": segments, "opstamp": opstamp})).unwrap()
    }

    #[test]
    fn segments_stay_in_the_order_in_which_they_were_made() {
        for (old, new, expected) in [
            ((1, "a"), (2, "b a"), "a b"),
            ((1, "a b"), (2, "b c a"), "a b c"),
            ((1, "a b c"), (1, "d c"), "d c"),
            ((1, "a b c"), (1, "d a"), "a d"),
            ((1, "a b"), (2, "c b"), "b c"),
        ] {
            let (old, new) = (meta(old.0, old.1), meta(new.0, new.1));
            let ordered = in_order(&old, &new).unwrap_or(new);
            let ordered: Value = serde_json::from_slice(&ordered).unwrap();
            let ids: Vec<&str> = ordered["segments"].as_array().unwrap().iter().filter_map(id).collect();
            assert_eq!(ids.join(" "), expected);
        }
        assert_eq!(in_order(b"", &meta(1, "a b")), None);
    }
}
