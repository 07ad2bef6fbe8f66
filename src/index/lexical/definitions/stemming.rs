//! The stemmers that `stemmer` and `snowball` name.

use frostem::{Algorithm, Stemmer};

use crate::error::{Error, Result};
use crate::index::lexical::filters::Filter;
use crate::index::lexical::stemmers;

/// The filter of `stemmer` with this `language`.
///
/// # Errors
/// `Unsupported` for those that Elasticsearch has and this engine lacks, `InvalidInput` for others.
pub(super) fn stemmer(language: &str) -> Result<Filter> {
    let snowball = |algorithm| Filter::Snowball(Stemmer::new(algorithm));
    let light = |name: &'static str, stem: fn(&mut String)| Filter::Stem(name, stem);
    Ok(match language.to_lowercase().as_str() {
        "arabic" => light("arabic", stemmers::arabic::stem),
        "english" | "porter" => Filter::PORTER,
        "porter2" => snowball(Algorithm::English),
        "minimal_english" | "minimalenglish" => light("minimal_english", stemmers::english::minimal),
        "possessive_english" | "possessiveenglish" => Filter::EnglishPossessive,
        "danish" => snowball(Algorithm::Danish),
        "dutch" => snowball(Algorithm::Dutch),
        "finnish" => snowball(Algorithm::Finnish),
        "french" => snowball(Algorithm::French),
        "light_french" | "lightfrench" => light("light_french", stemmers::french::light),
        "minimal_french" | "minimalfrench" => light("minimal_french", stemmers::french::minimal),
        "german" | "german2" => snowball(Algorithm::German),
        "light_german" | "lightgerman" => light("light_german", stemmers::german::light),
        "minimal_german" | "minimalgerman" => light("minimal_german", stemmers::german::minimal),
        "greek" => snowball(Algorithm::Greek),
        "hungarian" => snowball(Algorithm::Hungarian),
        "italian" => snowball(Algorithm::Italian),
        "light_italian" | "lightitalian" => light("light_italian", stemmers::italian::light),
        "norwegian" => snowball(Algorithm::Norwegian),
        "light_norwegian" | "lightnorwegian" => light("light_norwegian", stemmers::norwegian::light),
        "minimal_norwegian" | "minimalnorwegian" => light("minimal_norwegian", stemmers::norwegian::minimal),
        "light_nynorsk" | "lightnynorsk" => light("light_nynorsk", stemmers::norwegian::light_nynorsk),
        "minimal_nynorsk" | "minimalnynorsk" => light("minimal_nynorsk", stemmers::norwegian::minimal_nynorsk),
        "portuguese" => snowball(Algorithm::Portuguese),
        "light_portuguese" | "lightportuguese" => light("light_portuguese", stemmers::portuguese::light),
        "romanian" => snowball(Algorithm::Romanian),
        "russian" => snowball(Algorithm::Russian),
        "light_russian" | "lightrussian" => light("light_russian", stemmers::russian::light),
        "spanish" => snowball(Algorithm::Spanish),
        "light_spanish" | "lightspanish" => light("light_spanish", stemmers::spanish::light),
        "swedish" => snowball(Algorithm::Swedish),
        "light_swedish" | "lightswedish" => light("light_swedish", stemmers::swedish::light),
        "turkish" => snowball(Algorithm::Turkish),
        "tamil" => snowball(Algorithm::Tamil),
        other if ABSENT.contains(&other) => {
            return Err(Error::unsupported(format!("stemmer [{language}] is not supported")));
        }
        _ => return Err(Error::invalid_input(format!("Invalid stemmer class specified: {language}"))),
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
pub(super) fn snowball(language: &str) -> Result<Filter> {
    let algorithm = match language {
        "Arabic" => Algorithm::Arabic,
        "Danish" => Algorithm::Danish,
        "Dutch" => Algorithm::Dutch,
        "English" => Algorithm::English,
        "Finnish" => Algorithm::Finnish,
        "French" => Algorithm::French,
        "German" | "German2" => Algorithm::German,
        "Greek" => Algorithm::Greek,
        "Hungarian" => Algorithm::Hungarian,
        "Italian" => Algorithm::Italian,
        "Norwegian" => Algorithm::Norwegian,
        "Porter" => return Ok(Filter::PORTER),
        "Portuguese" => Algorithm::Portuguese,
        "Romanian" => Algorithm::Romanian,
        "Russian" => Algorithm::Russian,
        "Spanish" => Algorithm::Spanish,
        "Swedish" => Algorithm::Swedish,
        "Tamil" => Algorithm::Tamil,
        "Turkish" => Algorithm::Turkish,
        "Armenian" | "Basque" | "Catalan" | "Estonian" | "Irish" | "Kp" | "Lithuanian" | "Lovins" | "Serbian"
        | "Hindi" | "Indonesian" | "Nepali" | "Yiddish" => {
            return Err(Error::unsupported(format!("snowball stemmer [{language}] is not supported")));
        }
        _ => return Err(Error::invalid_input(format!("Invalid stemmer class specified: {language}"))),
    };
    Ok(Filter::Snowball(Stemmer::new(algorithm)))
}
