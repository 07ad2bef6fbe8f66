//! The stemmers that `stemmer` and `snowball` name.

use crate::error::{Error, Result};
use crate::index::lexical::filters::Filter;
use crate::index::lexical::stemmers;

/// The filter of `stemmer` with this `language`.
///
/// # Errors
/// `Unsupported` for those that Elasticsearch has and this engine lacks, `InvalidInput` for others.
pub(super) fn stemmer(language: &str) -> Result<Vec<Filter>> {
    let light = |name: &'static str, stem: fn(&mut String)| vec![Filter::Stem(name, stem)];
    let name = language.to_lowercase();
    Ok(match name.as_str() {
        "arabic" => light("arabic", stemmers::arabic::stem),
        "english" | "porter" => vec![Filter::PORTER],
        "porter2" => snowball("English")?,
        "german2" => snowball("German2")?,
        "minimal_english" | "minimalenglish" => light("minimal_english", stemmers::english::minimal),
        "possessive_english" | "possessiveenglish" => vec![Filter::EnglishPossessive],
        "light_french" | "lightfrench" => light("light_french", stemmers::french::light),
        "minimal_french" | "minimalfrench" => light("minimal_french", stemmers::french::minimal),
        "light_german" | "lightgerman" => light("light_german", stemmers::german::light),
        "minimal_german" | "minimalgerman" => light("minimal_german", stemmers::german::minimal),
        "light_italian" | "lightitalian" => light("light_italian", stemmers::italian::light),
        "light_norwegian" | "lightnorwegian" => light("light_norwegian", stemmers::norwegian::light),
        "minimal_norwegian" | "minimalnorwegian" => light("minimal_norwegian", stemmers::norwegian::minimal),
        "light_nynorsk" | "lightnynorsk" => light("light_nynorsk", stemmers::norwegian::light_nynorsk),
        "minimal_nynorsk" | "minimalnynorsk" => light("minimal_nynorsk", stemmers::norwegian::minimal_nynorsk),
        "light_portuguese" | "lightportuguese" => light("light_portuguese", stemmers::portuguese::light),
        "light_russian" | "lightrussian" => light("light_russian", stemmers::russian::light),
        "light_spanish" | "lightspanish" => light("light_spanish", stemmers::spanish::light),
        "light_swedish" | "lightswedish" => light("light_swedish", stemmers::swedish::light),
        other if ABSENT.contains(&other) => {
            return Err(Error::unsupported(format!("stemmer [{language}] is not supported")));
        }
        other => match stemmers::snowball::of_language(other) {
            Some(filter) => vec![filter],
            None => return Err(Error::invalid_input(format!("Invalid stemmer class specified: {language}"))),
        },
    })
}

/// Elasticsearch's stemmers that this engine lacks.
const ABSENT: &[&str] = &[
    "armenian",
    "basque",
    "bengali",
    "brazilian",
    "bulgarian",
    "catalan",
    "czech",
    "dutch_kp",
    "kp",
    "estonian",
    "light_english",
    "lightenglish",
    "kstem",
    "lovins",
    "light_finnish",
    "lightfinnish",
    "galician",
    "minimal_galician",
    "hindi",
    "light_hungarian",
    "lighthungarian",
    "indonesian",
    "irish",
    "latvian",
    "lithuanian",
    "minimal_portuguese",
    "minimalportuguese",
    "portuguese_rslp",
    "persian",
    "serbian",
    "sorani",
    "spanish_plural",
    "minimal_swedish",
];

/// The filter of `snowball` with this `language` (`English`, `Porter` ...).
///
/// # Errors
/// As [`stemmer`].
pub(super) fn snowball(language: &str) -> Result<Vec<Filter>> {
    let known = match language {
        "Porter" => return Ok(vec![Filter::PORTER]),
        "German2" => {
            let umlauts = Filter::Stem("german2", stemmers::german::umlauts);
            return Ok([umlauts].into_iter().chain(stemmers::snowball::of_language("german")).collect());
        }
        "Armenian" | "Basque" | "Catalan" | "Estonian" | "Irish" | "Kp" | "Lithuanian" | "Lovins" | "Serbian"
        | "Hindi" | "Indonesian" | "Nepali" | "Yiddish" => {
            return Err(Error::unsupported(format!("snowball stemmer [{language}] is not supported")));
        }
        _ => stemmers::snowball::of_language(&language.to_lowercase()),
    };
    let filter = known.ok_or_else(|| Error::invalid_input(format!("Invalid stemmer class specified: {language}")))?;
    Ok(vec![filter])
}
