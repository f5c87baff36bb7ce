//! Conditions as tokens.

use serde_json::{Number, Value};

use crate::flow::template::{Segment, parse_path};
use crate::id;

/// A token, and where it begins in the text (in bytes).
pub(super) type Placed = (usize, Token);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Literal(Value),
    Path(Vec<Segment>),
    Exists,
    Open,
    Close,
    Not,
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Signs, longer ones before those that they begin with.
const SIGNS: &[(&str, Token)] = &[
    ("==", Token::Equal),
    ("!=", Token::NotEqual),
    ("<=", Token::LessOrEqual),
    (">=", Token::GreaterOrEqual),
    ("&&", Token::And),
    ("||", Token::Or),
    ("<", Token::Less),
    (">", Token::Greater),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
];

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        let (token, after) = match first {
            '"' | '\'' => quoted(rest, first, at)?,
            _ => match SIGNS.iter().find_map(|(sign, token)| rest.strip_prefix(sign).map(|after| (token, after))) {
                Some((token, after)) => (token.clone(), after),
                None => word(rest, at)?,
            },
        };
        found.push((at, token));
        rest = after.trim_start();
    }
    Ok(found)
}

/// A text in quotes; a backslash takes the next character as it is.
fn quoted(text: &str, quote: char, at: usize) -> Result<(Token, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '\\' => out.extend(chars.next().map(|(_, escaped)| escaped)),
            c if c == quote => {
                let after = text.get(place + c.len_utf8()..).unwrap_or_default();
                return Ok((Token::Literal(Value::String(out)), after));
            }
            c => out.push(c),
        }
    }
    Err(format!("the text that begins at {at} has no end"))
}

/// A number, a word with a meaning, or a path.
fn word(text: &str, at: usize) -> Result<(Token, &str), String> {
    let (word, after) = text.split_at_checked(word_end(text)).unwrap_or((text, ""));
    let token = match word {
        "true" => Token::Literal(Value::Bool(true)),
        "false" => Token::Literal(Value::Bool(false)),
        "null" => Token::Literal(Value::Null),
        "exists" if after.trim_start().starts_with('(') => Token::Exists,
        _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            let number = word.parse::<Number>().map_err(|_| format!("{:?} at {at} is no number", id::clip(word)))?;
            Token::Literal(Value::Number(number))
        }
        _ => Token::Path(parse_path(word).ok_or_else(|| {
            let shown = if word.is_empty() { text } else { word };
            format!("{:?} at {at} is neither a value nor a path", id::clip(shown))
        })?),
    };
    Ok((token, after))
}

/// Where a word ends: at white space or a sign, but not inside `["…"]`.
fn word_end(text: &str) -> usize {
    let mut quote = None;
    let mut before = None;
    for (place, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') && before == Some('[') => quote = Some(c),
            None if c.is_whitespace() || "=!<>&|()\"',".contains(c) => return place,
            None => {}
        }
        before = Some(c);
    }
    text.len()
}
