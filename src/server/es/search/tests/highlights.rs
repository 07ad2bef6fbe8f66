//! `highlight`.

use serde_json::{Value, json};

use super::Server;

fn server() -> Server {
    let text = "The thin wing of a plane. A slipstream is what a propeller makes behind it, and the wing stands in that slipstream. \
                Nothing of note is in this third sentence of the text, which is here to be left out. The last wing.";
    Server::with(
        json!({"title": {"type": "text"}, "body": {"type": "text", "analyzer": "english"}, "tag": {"type": "keyword"}}),
        &[json!({"_id": "1", "title": ["Wings & <things>", "A thin wing"], "body": text, "tag": "thin wing"})],
    )
}

fn highlight(server: &Server, query: Value, highlight: Value) -> Value {
    server.search(json!({"query": query, "highlight": highlight}))["hits"]["hits"][0]["highlight"].clone()
}

#[test]
fn snippets_of_fields() {
    let server = server();
    let words = json!({"match": {"title": "wing"}});
    assert_eq!(
        highlight(&server, words.clone(), json!({"fields": {"title": {}}})),
        json!({"title": ["A thin <em>wing</em>"]})
    );
    assert_eq!(highlight(&server, words.clone(), json!({"fields": {"body": {}}})), Value::Null);
    let anywhere = json!({"fields": {"body": {"number_of_fragments": 1}}, "require_field_match": false});
    assert_eq!(highlight(&server, words.clone(), anywhere), json!({"body": ["The last <em>wing</em>."]}));
    let none = json!({"fields": {"body": {"no_match_size": 10}}});
    assert_eq!(highlight(&server, words.clone(), none), json!({"body": ["The thin wing"]}));
    let tagged = json!({"fields": {"ti*": {"number_of_fragments": 0}}, "pre_tags": "<b>", "post_tags": "</b>", "encoder": "html"});
    let any = json!({"match": {"title": "wings wing"}});
    assert_eq!(
        highlight(&server, any, tagged),
        json!({"title": ["<b>Wings</b> &amp; &lt;things&gt;", "A thin <b>wing</b>"]})
    );
    let own = json!({"fields": {"title": {"highlight_query": {"match": {"title": "thin"}}}}});
    assert_eq!(highlight(&server, words, own), json!({"title": ["A <em>thin</em> wing"]}));
}

#[test]
fn phrases_have_one_tag_and_terms_are_whole() {
    let server = server();
    let phrase = json!({"match_phrase": {"title": "thin wing"}});
    assert_eq!(
        highlight(&server, phrase, json!({"fields": {"title": {}}})),
        json!({"title": ["A <em>thin wing</em>"]})
    );
    let phrase = json!({"match_phrase": {"title": "thin wing"}});
    let plain = json!({"fields": {"title": {"type": "plain"}}});
    assert_eq!(highlight(&server, phrase, plain), json!({"title": ["A <em>thin</em> <em>wing</em>"]}));
    let tag = json!({"term": {"tag": "thin wing"}});
    assert_eq!(highlight(&server, tag, json!({"fields": {"tag": {}}})), json!({"tag": ["<em>thin wing</em>"]}));
    let filtered =
        json!({"bool": {"filter": [{"prefix": {"title": "wi"}}], "must_not": [{"match": {"title": "sea"}}]}});
    assert_eq!(
        highlight(&server, filtered, json!({"fields": {"title": {}}})),
        json!({"title": ["<em>Wings</em> & <things>", "A thin <em>wing</em>"]})
    );
}

#[test]
fn stems_and_several_fragments() {
    let server = server();
    let words = json!({"match": {"body": "wings slipstreams"}});
    let snippets = highlight(&server, words.clone(), json!({"fields": {"body": {"fragment_size": 60}}}));
    let snippets: Vec<&str> =
        snippets["body"].as_array().unwrap().iter().map(|snippet| snippet.as_str().unwrap()).collect();
    assert_eq!(snippets.first(), Some(&"The thin <em>wing</em> of a plane."));
    assert_eq!(snippets.last(), Some(&"The last <em>wing</em>."));
    let best = highlight(
        &server,
        words,
        json!({"order": "score", "fields": {"body": {"number_of_fragments": 1, "fragment_size": 200}}}),
    );
    assert!(best["body"][0].as_str().unwrap().contains("<em>slipstream</em>"), "{best}");
}
