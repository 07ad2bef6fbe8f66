//! Every format read, every fault named: from bytes made here and from `fixtures/hostile/`.

use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::error::ErrorKind;

/// What reading gave, as short text: `index 1 {..}`, `bad LINE: reason` or `end LINE: reason`.
fn read_all(inputs: Vec<Input>, options: Options) -> Vec<String> {
    open(inputs, options).unwrap().map(|item| describe(&item)).collect()
}

fn describe(item: &Result<Operation, Fault>) -> String {
    let id = |id: &Option<DocumentId>| id.as_ref().map_or("-".to_string(), DocumentId::to_string);
    let json = |source: &Map<String, Value>| serde_json::to_string(source).unwrap();
    let place = |error: &Error| error.location().line.map_or("-".to_string(), |line| line.to_string());
    match item {
        Ok(operation) => match &operation.action {
            Action::Index(document) => format!("index {} {}", id(&document.id), json(&document.source)),
            Action::Create(document) => format!("create {} {}", id(&document.id), json(&document.source)),
            Action::Update(update) => format!("update {} {} {:?}", update.id, json(&update.fields), update.upsert),
            Action::Delete(id) => format!("delete {id}"),
        },
        Err(Fault::Record(error)) => format!("bad {}: {}", place(error), error.message()),
        Err(Fault::Input(error)) => format!("end {}: {}", place(error), error.message()),
    }
}

fn from_bytes(name: &str, bytes: impl Into<Vec<u8>>) -> Input {
    Input::Reader { name: name.into(), reader: Box::new(std::io::Cursor::new(bytes.into())) }
}

fn read(name: &str, bytes: impl Into<Vec<u8>>) -> Vec<String> {
    read_all(vec![from_bytes(name, bytes)], Options::default())
}

fn hostile(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile").join(name)
}

fn read_hostile(name: &str) -> Vec<String> {
    read_all(vec![hostile(name).into()], Options::default())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn jsonl(num_lines: usize) -> String {
    (1..=num_lines).map(|n| format!("{{\"_id\": \"{n}\", \"text\": \"wing {n} {}\"}}\n", n * 7919 % 10007)).collect()
}

#[test]
fn every_format_gives_the_same_documents() {
    let expected = ["index 1 {\"t\":\"a\"}", "index 2 {\"t\":\"b\"}"];
    for (name, text) in [
        ("jsonl", "{\"_id\": \"1\", \"t\": \"a\"}\n{\"_id\": \"2\", \"t\": \"b\"}\n"),
        (
            "jsonl without last line end, with CRLF and blank lines",
            "\r\n{\"_id\": 1, \"t\": \"a\"}\r\n\r\n{\"_id\": 2, \"t\": \"b\"}",
        ),
        ("jsonl with a byte order mark", "\u{feff}{\"_id\": 1, \"t\": \"a\"}\n{\"_id\": 2, \"t\": \"b\"}\n"),
        (
            "bulk",
            "{\"index\": {\"_id\": \"1\"}}\n{\"t\": \"a\"}\n{\"index\":{\"_index\":\"x\",\"_id\":2}}\n{\"t\": \"b\"}\n",
        ),
        ("array", "[{\"_id\": \"1\", \"t\": \"a\"}, {\"_id\": \"2\", \"t\": \"b\"}]"),
        ("array over lines", "\n[\n{\n\"_id\": \"1\",\n\"t\": \"a\"\n}\n,{\"_id\": \"2\", \"t\": \"b\"}\n]\n"),
        ("objects over lines", "{\n\"_id\": \"1\",\n\"t\": \"a\"\n}\n{\"_id\": \"2\",\n \"t\": \"b\"}\n"),
        ("csv", "_id,t,empty\n1,a,\n2,\"b\",\n"),
        ("csv with semicolons", "_id;t\r\n1;a\r\n2;b\r\n"),
        ("tsv", "_id\tt\n1\ta\n2\tb\n"),
    ] {
        assert_eq!(read("-", text), expected, "{name}");
        assert_eq!(read("-", gzip(text.as_bytes())), expected, "{name}, gzip");
        assert_eq!(read("-", zstd::encode_all(text.as_bytes(), 3).unwrap()), expected, "{name}, zstd");
    }
}

#[test]
fn members_and_frames_after_the_first_are_read() {
    let (first, second) = ("{\"_id\": 1}\n", "{\"_id\": 2}\n");
    assert_eq!(read("x", [gzip(first.as_bytes()), gzip(second.as_bytes())].concat()), ["index 1 {}", "index 2 {}"]);
    let frame = |text: &str| zstd::encode_all(text.as_bytes(), 3).unwrap();
    assert_eq!(read("x", [frame(first), frame(second)].concat()), ["index 1 {}", "index 2 {}"]);
}

#[test]
fn bulk_has_four_actions() {
    let text = r#"{"create": {"_id": "1", "routing": "r"}}
{"t": 1}
{"update": {"_id": "2", "retry_on_conflict": 3}}
{"doc": {"t": 2}, "doc_as_upsert": true}
{"update": {"_id": "3"}}
{"doc": {"t": 3}, "upsert": {"t": 4}, "detect_noop": false}
{"delete": {"_index": "x", "_id": "4"}}

{"index": {}}
{"index": {"weight": 1}}
"#;
    assert_eq!(
        read("actions.ndjson", text),
        [
            "create 1 {\"t\":1}",
            "update 2 {\"t\":2} Fields",
            "update 3 {\"t\":3} Source({\"t\": Number(4)})",
            "delete 4",
            "index - {\"index\":{\"weight\":1}}",
        ]
    );
}

#[test]
fn an_update_merges_objects_and_replaces_the_rest() {
    let object = |value: Value| value.as_object().unwrap().clone();
    let update = |upsert| PartialDocument { id: "1".into(), fields: object(json!({"a": {"y": 2}, "l": [3]})), upsert };
    let existing = object(json!({"a": {"x": 1, "y": 1}, "l": [1, 2]}));
    let merged = update(Upsert::Missing).apply(Some(existing)).unwrap();
    assert_eq!(Value::Object(merged.source), json!({"a": {"x": 1, "y": 2}, "l": [3]}));
    assert_eq!(update(Upsert::Missing).apply(None), None);
    assert_eq!(update(Upsert::Fields).apply(None).unwrap().source, object(json!({"a": {"y": 2}, "l": [3]})));
    assert_eq!(update(Upsert::Source(object(json!({"n": 1})))).apply(None).unwrap().source, object(json!({"n": 1})));
}

#[test]
fn bad_lines_are_named_and_the_others_read() {
    assert_eq!(
        read_hostile("bad_lines.jsonl"),
        [
            "index 1 {\"year\":1958}",
            "bad 2: NaN is not JSON (column 22); write null, or leave the field out",
            "bad 3: is not complete JSON: EOF while parsing an object (column 25); the record is cut off",
            "bad 4: is an array, expected a JSON object",
            "bad 5: duplicate key \"year\" (column 33); JSON objects name a key once",
            "bad 6: is an object, expected a string or a whole number",
            "bad 7: has 513 bytes; an id has at most 512",
            "index 8 {\"year\":1958}",
        ]
    );
    let faults = open(vec![hostile("bad_lines.jsonl").into()], Options::default()).unwrap();
    let error: Error = faults.filter_map(Result::err).nth(4).unwrap().into();
    let text = format!(
        "{}:6: field \"_id\": is an object, expected a string or a whole number",
        hostile("bad_lines.jsonl").display()
    );
    assert_eq!((error.to_string(), error.kind()), (text, ErrorKind::InvalidInput));
}

#[test]
fn invalid_utf8_costs_its_line_only() {
    assert_eq!(
        read_hostile("bad_utf8.jsonl"),
        [
            "index 1 {\"text\":\"good\"}",
            "bad 2: is not valid UTF-8 (byte 26 of the line); convert the file to UTF-8",
            "index 3 {\"text\":\"good\"}",
        ]
    );
    assert_eq!(read_hostile("utf16.jsonl"), ["end -: is UTF-16; convert it to UTF-8"]);
}

#[test]
fn a_torn_bulk_file_loses_only_what_is_torn() {
    assert_eq!(
        read_hostile("torn_bulk.ndjson"),
        [
            "index 1 {\"title\":\"one\"}",
            "bad 3: the action has no source line after it: the next line is another action; each index, create and update needs one",
            "index 3 {\"title\":\"three\"}",
            "bad 6: unknown action \"upsert\"; the actions are index, create, update and delete",
            "bad 8: expected an action line such as {\"index\": {\"_id\": \"1\"}}, found keys title, year",
            "delete 6",
            "bad 11: \"script\" in an update is not supported; send \"doc\"",
            "bad 12: the parameter \"pipeline\" of an action is not supported; leave it out",
            "bad 14: the action has no source line after it: the file ends; each index, create and update needs one",
        ]
    );
}

#[test]
fn a_truncated_archive_gives_what_it_has_and_then_a_fatal_fault() {
    let zstd = zstd::encode_all(jsonl(20_000).as_bytes(), 3).unwrap();
    let gzip = gzip(jsonl(20_000).as_bytes());
    let archives = [
        ("gzip", fs_err::read(hostile("torn.jsonl.gz")).unwrap()),
        ("gzip", gzip[..gzip.len() / 2].to_vec()),
        ("gzip", gzip[..gzip.len() - 4].to_vec()),
        ("zstd", zstd[..zstd.len() / 2].to_vec()),
        ("zstd", zstd[..zstd.len() - 1].to_vec()),
    ];
    for (kind, bytes) in archives {
        let second = from_bytes("second.jsonl", "{\"_id\": \"never read\"}");
        let items: Vec<_> = open(vec![from_bytes("torn", bytes), second], Options::default()).unwrap().collect();
        let (last, good) = items.split_last().unwrap();
        assert!(good.iter().all(Result::is_ok));
        let Err(Fault::Input(error)) = last else { panic!("{last:?}") };
        let num_good = good.len();
        let expected = format!(
            "the {kind} stream is truncated: all that follows line {num_good} is missing; get the whole file and try again"
        );
        assert_eq!(error.message(), expected);
        assert_eq!(error.location().file.as_deref(), Some(Path::new("torn")));
    }
}

#[test]
fn a_damaged_archive_is_reported() {
    let items = read_hostile("bad_checksum.jsonl.gz");
    let (last, good) = items.split_last().unwrap();
    assert_eq!(good.len(), 400);
    assert!(last.starts_with("end 400: the gzip stream is damaged: what follows line 400 cannot be read"), "{last}");
}

#[test]
fn arrays_lose_only_their_bad_elements() {
    assert_eq!(
        read_hostile("bad_element.json"),
        [
            "index 1 {}",
            "bad 3: NaN is not JSON (column 22); write null, or leave the field out",
            "bad 4: is not valid JSON: control character (\\u0000-\\u001F) found while parsing a string (column 22)",
            "index 4 {}",
        ]
    );
    assert_eq!(
        read_hostile("torn_array.json"),
        ["index 1 {}", "end 3: the file ends inside this record: it is truncated, or a bracket or quote is not closed"]
    );
    for (text, expected) in [
        ("[{} {}]", "end 1: expected \",\" or \"]\" after an element; the rest of the file cannot be read"),
        ("[{},]", "end 1: expected an element after \",\", found \"]\"; the rest of the file cannot be read"),
        ("[{}]\n{}", "end 2: something follows the array's closing \"]\"; the rest of the file cannot be read"),
        (
            "[{},\n7,",
            "end 2: the file ends before the array's closing \"]\": it is truncated; the rest of the file cannot be read",
        ),
    ] {
        assert_eq!(read("x.json", text).last().unwrap(), expected, "{text}");
    }
}

#[test]
fn bad_rows_are_named_and_the_others_read() {
    assert_eq!(
        read_hostile("bad_rows.csv"),
        [
            "index 1 {\"title\":\"a, b\",\"year\":\"1958\"}",
            "bad 3: has 2 cells, the header line has 3",
            "index 3 {\"title\":\"two\\nlines\",\"year\":\"1959\"}",
            "bad 6: is not valid UTF-8; convert the file to UTF-8",
            "index 5 {\"year\":\"1960\"}",
        ]
    );
    let open_quote = read_hostile("open_quote.csv");
    assert_eq!(open_quote[0], "index 1 {\"title\":\"one\"}");
    assert!(open_quote[1].starts_with("end 3: a quote that opens in this row is not closed"), "{open_quote:?}");
    for (text, expected) in [
        ("a,b,a\n", "end 1: the header line names \"a\" twice"),
        ("a,,b\n1,2,3\n", "end 1: column 2 has no name in the header line"),
    ] {
        assert_eq!(read("x.csv", text), [expected]);
    }
    assert_eq!(
        read("x.tsv", "id\tt\n1\t\"a\n2\tb\"\n"),
        ["index 1 {\"id\":\"1\",\"t\":\"\\\"a\"}", "index 2 {\"id\":\"2\",\"t\":\"b\\\"\"}"]
    );
}

#[test]
fn nothing_in_the_input_is_a_fault() {
    for name in ["empty.jsonl", "blank.jsonl"] {
        assert_eq!(read_hostile(name), ["end -: there are no documents in the input"]);
    }
    for bytes in ["", "[]", "[ ]\n"] {
        assert_eq!(read("x.json", bytes), ["end -: there are no documents in the input"], "{bytes:?}");
    }
    assert_eq!(read("x.csv", "_id,title\n"), ["end -: there are no documents in the input"]);
    // One empty file among others is no fault.
    let inputs = vec![from_bytes("a", ""), from_bytes("b.jsonl", "{\"_id\": 1}")];
    assert_eq!(read_all(inputs, Options::default()), ["index 1 {}"]);
}

#[test]
fn long_records_are_refused_without_being_held() {
    let mut options = Options { max_record_bytes: 1000, ..Options::default() };
    let long = "x".repeat(50_000);
    let text = format!("{{\"_id\": 1}}\n{{\"_id\": 2, \"t\": \"{long}\"}}\r\n{{\"_id\": 3}}\n");
    let message = "is longer than the limit of 1000; split it, or raise the limit (--max-record-bytes)";
    let expected = |num_bytes: usize| {
        vec![
            "index 1 {}".to_string(),
            format!("bad 2: a record of {num_bytes} bytes {message}"),
            "index 3 {}".to_string(),
        ]
    };
    assert_eq!(read_all(vec![from_bytes("x", text)], options.clone()), expected(50_021));
    let array = format!("[{{\"_id\": 1}},\n{{\"_id\": 2, \"t\": \"{long}\"}},\n{{\"_id\": 3}}]");
    assert_eq!(read_all(vec![from_bytes("x", array)], options.clone()), expected(50_019));
    let exact = format!("{{\"_id\":\"{}\"}}\r\n{{\"_id\": 2}}", "i".repeat(12));
    options.max_record_bytes = exact.lines().next().unwrap().len();
    assert_eq!(read_all(vec![from_bytes("x", exact)], options), ["index iiiiiiiiiiii {}", "index 2 {}"]);
    // A quote left open may not swallow the whole file into memory.
    let options = Options { max_record_bytes: 1000, ..Options::default() };
    let rows = read_all(vec![from_bytes("x.csv", format!("a,b\n1,\"{}", "2\n".repeat(5000)))], options);
    assert!(rows.len() == 1 && rows[0].starts_with("end 2: a record of 1001 bytes"), "{rows:?}");
}

#[test]
fn a_line_of_fifty_megabytes_is_one_bad_record() {
    /// A line that never lies in memory.
    struct Long(usize);
    impl std::io::Read for Long {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let num_bytes = buffer.len().min(self.0);
            buffer[..num_bytes].fill(b'x');
            self.0 -= num_bytes;
            Ok(num_bytes)
        }
    }
    use std::io::Read;
    let reader = b"{\"_id\": 1}\n\"".chain(Long(50 << 20)).chain(&b"\"\n{\"_id\": 3}\n"[..]);
    let input = Input::Reader { name: "x.jsonl".into(), reader: Box::new(reader) };
    let items = read_all(vec![input], Options::default());
    assert_eq!((items.len(), items[0].as_str(), items[2].as_str()), (3, "index 1 {}", "index 3 {}"));
    assert!(
        items[1].starts_with("bad 2: a record of 52428803 bytes is longer than the limit of 33554432"),
        "{}",
        items[1]
    );
}

#[test]
fn folders_are_read_in_order_and_beir_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    };
    write("b.csv", b"_id\n2\n");
    write("a.jsonl.gz", &gzip(b"{\"_id\": 1}\n"));
    write("c/d.json", b"[{\"_id\": 3}]");
    write("README.md", b"no data");
    write(".hidden.jsonl", b"{\"_id\": 9}");
    write(
        "e/corpus.jsonl",
        b"{\"_id\": \"4\", \"title\": \"\", \"text\": \"x\", \"metadata\": {}}\n{\"text\": \"no id\"}\n",
    );
    write("e/queries.jsonl", b"{\"_id\": \"q\", \"text\": \"?\"}\n");
    assert_eq!(
        read_all(vec![folder.path().into()], Options::default()),
        [
            "index 1 {}",
            "index 2 {}",
            "index 3 {}",
            "index 4 {\"title\":\"\",\"text\":\"x\",\"metadata\":{}}",
            "bad 2: has no \"_id\", which a BEIR corpus needs",
        ]
    );
    write("empty/x.txt", b"");
    let error = open(vec![folder.path().join("empty").into()], Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = open(vec![folder.path().join("missing").into()], Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn what_is_no_text_is_named() {
    for (bytes, expected) in [
        (&b"PK\x03\x04rest"[..], "zip archive"),
        (b"\xfd7zXZ\x00rest", "xz"),
        (b"PAR1rest", "Parquet"),
        (b"just words", "the format cannot be told"),
    ] {
        let items = read("x", bytes);
        assert!(items.len() == 1 && items[0].starts_with("end -: ") && items[0].contains(expected), "{items:?}");
    }
}

#[test]
fn progress_counts_the_bytes_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("corpus.jsonl.gz");
    let bytes = gzip(jsonl(5000).as_bytes());
    fs_err::write(&path, &bytes).unwrap();
    let mut operations = open(vec![path.into()], Options::default()).unwrap();
    let progress = operations.progress();
    assert_eq!((progress.bytes_read(), progress.bytes_total()), (0, Some(bytes.len() as u64)));
    assert_eq!(operations.by_ref().filter(Result::is_ok).count(), 5000);
    assert_eq!(progress.bytes_read(), bytes.len() as u64);
    let from_reader = open(vec![from_bytes("x", "{}")], Options::default()).unwrap();
    assert_eq!(from_reader.progress().bytes_total(), None);
}

#[test]
fn order_and_line_numbers_survive_batches() {
    let operations = open(vec![from_bytes("x", jsonl(20_000))], Options::default()).unwrap();
    for (idx, operation) in operations.enumerate() {
        let operation = operation.unwrap();
        let Action::Index(document) = operation.action else { panic!("not an index action") };
        assert_eq!(operation.location.line, Some(idx as u64 + 1));
        assert_eq!(document.id.unwrap().as_str(), (idx + 1).to_string());
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
        "[\"\\\\{}\\[\\],:\n\t]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"{ ]{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Vec<Map<String, Value>>> {
    prop::collection::vec(prop::collection::btree_map("[a-z]{1,4}x", json_value(), 0..4), 1..8)
        .prop_map(|objects| objects.into_iter().map(|object| object.into_iter().collect()).collect())
}

fn sources(items: Operations) -> Vec<Map<String, Value>> {
    items
        .map(|item| match item.unwrap().action {
            Action::Index(document) => document.source,
            other @ (Action::Create(_) | Action::Update(_) | Action::Delete(_)) => panic!("{other:?}"),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(objects in objects()) {
        let lines = |separator: &str| {
            objects.iter().map(|object| serde_json::to_string(object).unwrap()).collect::<Vec<_>>().join(separator)
        };
        let bulk: String = objects
            .iter()
            .map(|object| format!("{{\"index\": {{}}}}\n{}\n", serde_json::to_string(object).unwrap()))
            .collect();
        for (format, text) in [
            (Format::Jsonl, lines("\n")),
            (Format::Bulk, bulk),
            (Format::Json, format!("[{}]", lines(","))),
            (Format::Json, serde_json::to_string_pretty(&objects).unwrap()),
            (Format::Json, lines(" ")),
        ] {
            let options = Options { format, ..Options::default() };
            prop_assert_eq!(&sources(open(vec![from_bytes("x", text)], options).unwrap()), &objects, "{:?}", format);
        }
    }

    #[test]
    fn rows_are_read_again(rows in prop::collection::vec(prop::collection::vec("[a\",;\n é]{1,5}", 3), 1..6)) {
        let mut writer = csv_writer();
        writer.write_record(["c1", "c2", "c3"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let options = Options { format: Format::Csv, ..Options::default() };
        let read = sources(open(vec![from_bytes("x", writer.into_inner().unwrap())], options).unwrap());
        let cells: Vec<Vec<String>> =
            read.iter().map(|row| row.values().map(|cell| cell.as_str().unwrap().to_string()).collect()).collect();
        prop_assert_eq!(cells, rows);
    }

    #[test]
    fn no_bytes_make_a_reader_panic_or_hang(
        bytes in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b','), Just(b'\n'), Just(b'\\'), any::<u8>()], 0..300),
        format_idx in 0..Format::ALL.len(),
    ) {
        let options = Options { format: Format::ALL[format_idx].1, ..Options::default() };
        let num_bytes = bytes.len();
        let items: Vec<_> = open(vec![from_bytes("x", bytes)], options).unwrap().collect();
        prop_assert!(items.len() <= num_bytes + 1);
        let num_fatal = items.iter().filter(|item| matches!(item, Err(Fault::Input(_)))).count();
        prop_assert!(num_fatal <= 1);
    }
}

fn csv_writer() -> ::csv::Writer<Vec<u8>> {
    ::csv::Writer::from_writer(Vec::new())
}
