//! Which names indices and aliases may have: Elasticsearch's rules, which also keep a name from being a path.

use super::{CatalogError, CatalogResult};

/// The longest name, in bytes.
const MAX_BYTES: usize = 255;

/// Checks the name of an index that is to be made.
///
/// # Errors
/// [`CatalogError::InvalidName`] saying what is wrong.
pub fn check_index(name: &str) -> CatalogResult<()> {
    let wrong = fault(name).or_else(|| (name.to_lowercase() != name).then(|| "must be lowercase".to_string()));
    match wrong {
        Some(why) => Err(CatalogError::InvalidName { name: name.to_string(), why }),
        None => Ok(()),
    }
}

/// Checks the name of an alias; it may have upper-case letters.
///
/// # Errors
/// [`CatalogError::InvalidAlias`] saying what is wrong.
pub fn check_alias(name: &str) -> CatalogResult<()> {
    match fault(name) {
        Some(why) => Err(CatalogError::InvalidAlias { name: name.to_string(), why }),
        None => Ok(()),
    }
}

fn fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("must not be empty".to_string());
    }
    if name.contains(|letter: char| r#" "*\<|,>/?"#.contains(letter) || letter.is_control()) {
        return Some(r#"must not contain the following characters [ , ", *, \, <, |, ,, >, /, ?]"#.to_string());
    }
    if name.contains('#') {
        return Some("must not contain '#'".to_string());
    }
    if name.contains(':') {
        return Some("must not contain ':'".to_string());
    }
    if name.starts_with(['_', '-', '+']) {
        return Some("must not start with '_', '-', or '+'".to_string());
    }
    if name.len() > MAX_BYTES {
        return Some(format!("index name is too long, ({} > {MAX_BYTES})", name.len()));
    }
    if name == "." || name == ".." {
        return Some("must not be '.' or '..'".to_string());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_elasticsearch_does() {
        for name in ["books", "books-2024.01", "1", ".hidden", "a+b_c", "bücher"] {
            check_index(name).unwrap();
            check_alias(name).unwrap();
        }
        check_alias("Books").unwrap();
        let cases = [
            ("", "must not be empty"),
            ("Books", "must be lowercase"),
            ("BÜCHER", "must be lowercase"),
            ("..", "must not be '.' or '..'"),
            (".", "must not be '.' or '..'"),
            ("../books", "must not contain the following characters"),
            ("a\\b", "must not contain the following characters"),
            ("a b", "must not contain the following characters"),
            ("a*", "must not contain the following characters"),
            ("a\nb", "must not contain the following characters"),
            ("a\0b", "must not contain the following characters"),
            ("a#b", "must not contain '#'"),
            ("a:b", "must not contain ':'"),
            ("_books", "must not start with"),
            ("-books", "must not start with"),
            ("+books", "must not start with"),
        ];
        for (name, why) in cases {
            let error = check_index(name).unwrap_err().to_string();
            assert!(error.starts_with(&format!("Invalid index name [{name}], ")) && error.contains(why), "{error}");
        }
        assert!(check_index(&"x".repeat(256)).unwrap_err().to_string().contains("index name is too long, (256 > 255)"));
        check_index(&"x".repeat(255)).unwrap();
    }
}
