//! Text into HTML.

/// Text for an element's content or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A sentence in which plan names stand between backticks.
pub(super) fn sentence(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let written =
        pieces.map(
            |(idx, piece)| {
                if idx % 2 == 0 { escape(piece) } else { format!("<b class=\"plan\">{}</b>", escape(piece)) }
            },
        );
    written.collect()
}

/// JSON for a script element: nothing in it can end the element or begin a comment.
pub(super) fn json_in_script(value: &serde_json::Value) -> String {
    let mut escaped = String::new();
    for c in value.to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escaped += &format!("\\u{:04x}", u32::from(c)),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A number with a typographic minus.
pub(super) fn minus(number: &str) -> String {
    match number {
        "-" => "–".to_string(),
        number => number.replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escape("<a href=\"x\" 'y'>&\u{1b}"), "&lt;a href=&quot;x&quot; &#39;y&#39;&gt;&amp;\u{fffd}");
        assert_eq!(sentence("`a<b` wins"), "<b class=\"plan\">a&lt;b</b> wins");
        let value = serde_json::json!("</script><!--&\u{2028}");
        let text = json_in_script(&value);
        assert_eq!(text, "\"\\u003c/script\\u003e\\u003c!--\\u0026\\u2028\"");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert_eq!(minus("-0.1"), "−0.1");
    }
}
