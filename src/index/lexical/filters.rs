//! Words to terms: Lucene's token filters, each one rewriting or dropping a term. Next: [`super::analyzers`].

use std::borrow::Cow;

use frostem::Stemmer;

use super::porter;
use super::stopwords::StopWords;

/// One step of an analyzer. The enum is closed and its values are data, so that an analyzer is a list of them.
#[derive(Clone)]
pub(super) enum Filter {
    /// `LowerCaseFilter`: character by character, without regard to context.
    Lowercase,
    /// `TurkishLowerCaseFilter`: I becomes dotless, İ loses its dot.
    TurkishLowercase,
    /// `GreekLowerCaseFilter`: lower case without accents and with one form of sigma.
    GreekLowercase,
    /// `StopFilter`: drops words and leaves a hole in the positions.
    Stop(StopWords),
    /// `EnglishPossessiveFilter`: removes a final 's.
    EnglishPossessive,
    /// `ApostropheFilter`: removes an apostrophe and all after it.
    Apostrophe,
    /// `ElisionFilter`: removes an article before an apostrophe.
    Elision(&'static [&'static str]),
    /// `DecimalDigitFilter`: other scripts' digits become 0 to 9.
    DecimalDigits,
    /// `PorterStemFilter`.
    PorterStem,
    /// A Snowball stemmer.
    Snowball(Stemmer),
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Filter::Lowercase => "lowercase",
            Filter::TurkishLowercase => "turkish_lowercase",
            Filter::GreekLowercase => "greek_lowercase",
            Filter::Stop(_) => "stop",
            Filter::EnglishPossessive => "possessive_english",
            Filter::Apostrophe => "apostrophe",
            Filter::Elision(_) => "elision",
            Filter::DecimalDigits => "decimal_digit",
            Filter::PorterStem => "porter_stem",
            Filter::Snowball(stemmer) => return write!(f, "snowball({})", stemmer.algorithm().name()),
        })
    }
}

impl Filter {
    /// Whether it rewrites characters one by one, so that it also fits a part of a word.
    pub(super) fn is_normalizing(&self) -> bool {
        match self {
            Filter::Lowercase | Filter::TurkishLowercase | Filter::GreekLowercase | Filter::DecimalDigits => true,
            Filter::Stop(_)
            | Filter::EnglishPossessive
            | Filter::Apostrophe
            | Filter::Elision(_)
            | Filter::PorterStem
            | Filter::Snowball(_) => false,
        }
    }

    /// Rewrites `term` in place; `false` drops it.
    pub(super) fn apply(&self, term: &mut String) -> bool {
        match self {
            Filter::Lowercase if term.is_ascii() => term.make_ascii_lowercase(),
            Filter::Lowercase => map_chars(term, simple_lowercase),
            Filter::TurkishLowercase => map_chars(term, turkish_lowercase),
            Filter::GreekLowercase => map_chars(term, greek_lowercase),
            Filter::Stop(words) => return !words.contains(term),
            Filter::EnglishPossessive => {
                let owner = term.strip_suffix(['s', 'S']).and_then(|rest| rest.strip_suffix(['\'', '’', '＇']));
                if let Some(owner_len) = owner.map(str::len) {
                    term.truncate(owner_len);
                }
            }
            Filter::Apostrophe => {
                if let Some(at) = term.find(['\'', '’']) {
                    term.truncate(at);
                }
            }
            Filter::Elision(articles) => elide(term, articles),
            Filter::DecimalDigits => map_chars(term, ascii_digit),
            Filter::PorterStem => porter::stem(term),
            Filter::Snowball(stemmer) => {
                // A borrowed answer is the word itself.
                if let Cow::Owned(stemmed) = stemmer.stem(term) {
                    *term = stemmed;
                }
            }
        }
        // Lucene would index an empty term; nothing could ask for it.
        !term.is_empty()
    }
}

/// Rewrites each character; no work where none changes.
fn map_chars(term: &mut String, map: impl Fn(char) -> char) {
    if term.chars().any(|c| map(c) != c) {
        *term = term.chars().map(map).collect();
    }
}

/// Java's `Character.toLowerCase`: always one character for one.
fn simple_lowercase(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    c.to_lowercase().next().unwrap_or(c)
}

fn turkish_lowercase(c: char) -> char {
    match c {
        'I' => 'ı',
        'İ' => 'i',
        _ => simple_lowercase(c),
    }
}

fn greek_lowercase(c: char) -> char {
    match simple_lowercase(c) {
        'ς' => 'σ',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' | 'ϊ' | 'ΐ' => 'ι',
        'ύ' | 'ϋ' | 'ΰ' => 'υ',
        'ό' => 'ο',
        'ώ' => 'ω',
        lower => lower,
    }
}

fn ascii_digit(c: char) -> char {
    let zero = match c {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        '\u{966}'..='\u{96f}' => 0x966,
        '\u{be6}'..='\u{bef}' => 0xbe6,
        _ => return c,
    };
    char::from_digit(u32::from(c) - zero, 10).unwrap_or(c)
}

fn elide(term: &mut String, articles: &[&str]) {
    let Some(at) = term.find(['\'', '’']) else { return };
    let article = term[..at].to_lowercase();
    if articles.contains(&article.as_str()) {
        let apostrophe_len = if term.as_bytes().get(at) == Some(&b'\'') { 1 } else { '’'.len_utf8() };
        term.drain(..at + apostrophe_len);
    }
}

/// The articles that Lucene's `FrenchAnalyzer` elides.
pub(super) const FRENCH_ARTICLES: &[&str] =
    &["l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu"];

/// The articles that Lucene's `ItalianAnalyzer` elides.
pub(super) const ITALIAN_ARTICLES: &[&str] = &[
    "c", "l", "all", "dall", "dell", "nell", "sull", "coll", "pell", "gl", "agl", "dagl", "degl", "negl", "sugl", "un",
    "m", "t", "s", "v", "d",
];
