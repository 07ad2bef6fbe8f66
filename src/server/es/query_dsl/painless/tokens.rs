//! A script's text to tokens.

use super::refuse;
use crate::server::es::error::EsResult;

/// A word, number, text or sign of a script.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64, Type),
    Text(String),
    Word(String),
    Sign(&'static str),
}

impl Token {
    /// As it was written, for errors.
    pub(super) fn text(&self) -> String {
        match self {
            Token::Number(number, _) => number.to_string(),
            Token::Text(text) => format!("'{text}'"),
            Token::Word(word) => word.clone(),
            Token::Sign(sign) => (*sign).to_string(),
        }
    }
}

/// Whether a value is whole, so that its quotients are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Whole,
    Fraction,
}

const SIGNS: &[&str] = &[
    "<=", ">=", "===", "==", "!==", "!=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "!", "?", ":", "(", ")", "[",
    "]", ",", ".", ";", "=",
];

/// The tokens of a script.
///
/// # Errors
/// `script_exception` for what is none.
pub(super) fn tokens(source: &str) -> EsResult<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let next_is_digit = rest.chars().nth(1).is_some_and(|next| next.is_ascii_digit());
        let length = if first.is_ascii_digit() || (first == '.' && next_is_digit) {
            let (number, length) = number(rest)?;
            tokens.push(number);
            length
        } else if first.is_ascii_alphabetic() || first == '_' || first == '$' {
            let length = rest
                .find(|next: char| !next.is_ascii_alphanumeric() && next != '_' && next != '$')
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest.get(..length).unwrap_or_default().to_string()));
            length
        } else if first == '\'' || first == '"' {
            let inside = rest.get(1..).unwrap_or_default();
            let length = inside.find(first).ok_or_else(|| refuse("a text without its end"))?;
            tokens.push(Token::Text(inside.get(..length).unwrap_or_default().to_string()));
            length + 2
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            sign.len()
        } else {
            return Err(refuse(format!("unexpected character [{first}]")));
        };
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn number(text: &str) -> EsResult<(Token, usize)> {
    let bytes = text.as_bytes();
    let mut length = 0;
    let (mut has_exponent, mut is_whole) = (false, true);
    while let Some(byte) = bytes.get(length) {
        match byte {
            b'0'..=b'9' => {}
            b'.' if is_whole => is_whole = false,
            b'e' | b'E' if !has_exponent => {
                has_exponent = true;
                is_whole = false;
                if matches!(bytes.get(length + 1), Some(b'+' | b'-')) {
                    length += 1;
                }
            }
            _ => break,
        }
        length += 1;
    }
    let digits = text.get(..length).unwrap_or_default();
    let number: f64 = digits.parse().map_err(|_| refuse(format!("[{digits}] is no number")))?;
    let suffix = bytes.get(length).copied();
    let kind = match suffix {
        Some(b'f' | b'F' | b'd' | b'D') => Type::Fraction,
        _ if is_whole => Type::Whole,
        _ => Type::Fraction,
    };
    length += usize::from(matches!(suffix, Some(b'f' | b'F' | b'd' | b'D' | b'l' | b'L')));
    Ok((Token::Number(number, kind), length))
}
