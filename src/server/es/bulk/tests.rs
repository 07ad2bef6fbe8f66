use proptest::prelude::*;
use serde_json::json;

use super::parse::{BulkDefaults, BulkKind, BulkOp, BulkParser};
use crate::server::es::EsResult;
use crate::store::shard::WriteCondition;

fn parse_in_pieces(body: &[u8], piece: usize) -> EsResult<Vec<BulkOp>> {
    let defaults = BulkDefaults { index: Some("books".to_string()), ..BulkDefaults::default() };
    let mut parser = BulkParser::new(defaults);
    let mut ops = Vec::new();
    for bytes in body.chunks(piece.max(1)) {
        parser.push(bytes)?;
        ops.extend(parser.take());
    }
    parser.finish()?;
    ops.extend(parser.take());
    Ok(ops)
}

fn parse(body: &str) -> EsResult<Vec<BulkOp>> {
    parse_in_pieces(body.as_bytes(), usize::MAX)
}

#[test]
fn actions_and_sources_are_read_however_they_are_cut() {
    let body = concat!(
        "{\"index\":{\"_id\":\"1\",\"routing\":\"r\"}}\r\n{\"a\": \"\u{e4}\"}\r\n",
        "\n",
        "{\"delete\":{\"_index\":\"other\",\"_id\":2,\"if_seq_no\":3,\"if_primary_term\":1}}\n",
        "{\"create\":{}}\n{}\n",
        "{\"index\":{\"op_type\":\"create\",\"_id\":\"x\"}}\n{}\n",
        "{\"update\":{\"_id\":\"1\",\"retry_on_conflict\":3,\"require_alias\":true}}\n{\"doc\":{}}\n",
        "{\"index\":{\"_id\":\"v\",\"version\":\"7\",\"version_type\":\"external\"}}\n{}\n",
    );
    let ops = parse(body).unwrap();
    let read: Vec<_> = ops.iter().map(|op| (op.kind, op.index.as_str(), op.id.as_deref())).collect();
    let expected = [
        (BulkKind::Index, "books", Some("1")),
        (BulkKind::Delete, "other", Some("2")),
        (BulkKind::Create, "books", None),
        (BulkKind::Create, "books", Some("x")),
        (BulkKind::Update, "books", Some("1")),
        (BulkKind::Index, "books", Some("v")),
    ];
    assert_eq!(read, expected);
    assert_eq!(ops[0].source, "{\"a\": \"\u{e4}\"}".as_bytes());
    assert_eq!(ops[0].routing.as_deref(), Some("r"));
    assert_eq!(ops[1].condition, WriteCondition::SeqNo { seq_no: 3, primary_term: 1 });
    assert_eq!((ops[4].retry_on_conflict, ops[4].require_alias), (3, true));
    assert_eq!(ops[5].condition, WriteCondition::ExternalVersion(7));
    for piece in 1..body.len() {
        assert_eq!(parse_in_pieces(body.as_bytes(), piece).unwrap(), ops, "pieces of {piece}");
    }
}

#[test]
fn what_is_wrong_is_said_as_elasticsearch_says_it() {
    let cases = [
        ("", "parse_exception", "request body is required"),
        ("\n", "action_request_validation_exception", "Validation Failed: 1: no requests added;"),
        (
            "{\"delete\":{\"_id\":\"1\"}}",
            "illegal_argument_exception",
            "The bulk request must be terminated by a newline [\\n]",
        ),
        (
            "[]\n",
            "illegal_argument_exception",
            "Malformed action/metadata line [1], expected START_OBJECT but found [START_ARRAY]",
        ),
        (
            "{}\n",
            "illegal_argument_exception",
            "Malformed action/metadata line [1], expected FIELD_NAME but found [END_OBJECT]",
        ),
        (
            "\n{\"index\":3}\n",
            "illegal_argument_exception",
            "Malformed action/metadata line [2], expected START_OBJECT but found [VALUE_NUMBER]",
        ),
        (
            "{\"upsert\":{}}\n",
            "illegal_argument_exception",
            "expected field [create], [delete], [index] or [update] but found [upsert]",
        ),
        (
            "{\"index\":{\"colour\":1}}\n",
            "illegal_argument_exception",
            "Action/metadata line [1] contains an unknown parameter [colour]",
        ),
        ("{\"index\":{\"_type\":\"t\"}}\n", "illegal_argument_exception", "contains an unknown parameter [_type]"),
        (
            "{\"index\":{\"_id\":[1]}}\n",
            "illegal_argument_exception",
            "expected a simple value for field [_id] but found [START_ARRAY]",
        ),
        ("{\"index\":{}}\n", "action_request_validation_exception", "has no source"),
        ("{\"delete\":{}}\n", "action_request_validation_exception", "id is missing"),
        ("{\"delete\":{\"_id\":\"\"}}\n", "action_request_validation_exception", "id is missing"),
        (
            "{\"index\":{\"_id\":\"1\",\"if_seq_no\":1}}\n",
            "action_request_validation_exception",
            "ifSeqNo is set, but primary term is [0]",
        ),
        (
            "{\"index\":{\"_id\":\"1\",\"version\":1}}\n",
            "action_request_validation_exception",
            "internal versioning can not be used",
        ),
        ("{\"index\":{\"pipeline\":\"p\"}}\n", "illegal_argument_exception", "pipeline with id [p] does not exist"),
        ("{\"index\":\n", "x_content_parse_exception", "[1:9]"),
    ];
    for (body, kind, reason) in cases {
        let error = parse(body).unwrap_err();
        assert_eq!(error.kind, kind, "{body:?}: {error}");
        assert!(error.reason.contains(reason), "{body:?}: {error}");
        assert_eq!(error.status, 400);
    }
    let error = {
        let mut parser = BulkParser::new(BulkDefaults::default());
        parser.push(b"{\"index\":{}}\n").unwrap_err()
    };
    assert_eq!(error.reason, "Validation Failed: 1: index is missing;");
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer_and_no_panic(bytes: Vec<u8>, piece in 1..50_usize) {
        let _ = parse_in_pieces(&bytes, piece);
    }

    #[test]
    fn what_is_written_is_read(ids in proptest::collection::vec("[a-z\"\\\\\u{e9}]{1,8}", 1..20), piece in 1..200_usize) {
        let mut body = String::new();
        for id in &ids {
            body.push_str(&format!("{}\n{}\n", json!({"index": {"_id": id}}), json!({"id": id})));
        }
        let ops = parse_in_pieces(body.as_bytes(), piece).unwrap();
        let read: Vec<_> = ops.iter().map(|op| op.id.clone().unwrap()).collect();
        prop_assert_eq!(&read, &ids);
        for (op, id) in ops.iter().zip(&ids) {
            prop_assert_eq!(op.source.clone(), json!({"id": id}).to_string().into_bytes());
        }
    }
}
