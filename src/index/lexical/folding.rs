//! `asciifolding`: characters beyond ASCII to the ASCII ones that look like them.
//!
//! The table is Lucene's, by way of Tantivy's filter of the same name: it is asked once for every character, and what it
//! says is kept.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use tantivy::tokenizer::{AsciiFoldingFilter, RawTokenizer, TextAnalyzer, TokenStream};

static TABLE: LazyLock<FxHashMap<char, Box<str>>> = LazyLock::new(|| {
    let mut folder = TextAnalyzer::builder(RawTokenizer::default()).filter(AsciiFoldingFilter).build();
    let mut table = FxHashMap::default();
    for c in ('\u{80}'..='\u{2fff}')
        .chain('\u{a700}'..='\u{abff}')
        .chain('\u{fb00}'..='\u{fb4f}')
        .chain('\u{ff00}'..='\u{ffef}')
    {
        let character = c.to_string();
        let mut stream = folder.token_stream(&character);
        if stream.advance() && stream.token().text != character {
            table.insert(c, stream.token().text.as_str().into());
        }
    }
    table
});

/// Folds `term` in place.
pub(super) fn fold(term: &mut String) {
    if term.is_ascii() || !term.chars().any(|c| !c.is_ascii() && TABLE.contains_key(&c)) {
        return;
    }
    let mut folded = String::with_capacity(term.len());
    for c in term.chars() {
        match TABLE.get(&c) {
            Some(ascii) if !c.is_ascii() => folded.push_str(ascii),
            _ => folded.push(c),
        }
    }
    *term = folded;
}

#[cfg(test)]
mod tests {
    #[test]
    fn accents_ligatures_and_wide_forms_are_folded() {
        for (word, folded) in [
            ("Ærøskøbing", "AEroskobing"),
            ("ﬁn", "fin"),
            ("Ｆｕｌｌ", "Full"),
            ("Größe", "Grosse"),
            ("日本", "日本"),
            ("①", "1"),
        ] {
            let mut term = word.to_string();
            super::fold(&mut term);
            assert_eq!(term, folded);
        }
    }
}
