//! Tokens as an expression: `||` binds least, then `&&`, then `!`, then comparisons.

use super::lexer::{Placed, Token};
use super::{Comparison, Expr, Operand};

/// The deepest nesting of parentheses and negations.
const MAX_DEPTH: usize = 32;

pub(super) fn parse(tokens: &[Placed]) -> Result<Expr, String> {
    let mut parser = Parser { rest: tokens, depth: 0 };
    let expr = parser.any()?;
    match parser.rest.first() {
        None => Ok(expr),
        Some((at, _)) => Err(format!("nothing more is expected at {at}")),
    }
}

struct Parser<'t> {
    rest: &'t [Placed],
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, wanted: &Token) -> bool {
        match self.rest {
            [(_, token), rest @ ..] if token == wanted => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn any(&mut self) -> Result<Expr, String> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.take(&Token::Or) {
            parts.push(self.all()?);
        }
        Ok(join(parts, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, String> {
        let first = self.unary()?;
        let mut parts = vec![first];
        while self.take(&Token::And) {
            parts.push(self.unary()?);
        }
        Ok(join(parts, Expr::All))
    }

    fn unary(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("it nests deeper than {MAX_DEPTH}"));
        }
        let expr = if self.take(&Token::Not) {
            Expr::Not(Box::new(self.unary()?))
        } else if self.take(&Token::Open) {
            let inner = self.any()?;
            self.close()?;
            inner
        } else if self.take(&Token::Exists) {
            self.exists()?
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn close(&mut self) -> Result<(), String> {
        if self.take(&Token::Close) { Ok(()) } else { Err(format!("a `)` is missing {}", self.place())) }
    }

    fn exists(&mut self) -> Result<Expr, String> {
        let opened = self.take(&Token::Open);
        match self.operand()? {
            Operand::Path(path) if opened => {
                self.close()?;
                Ok(Expr::Exists(path))
            }
            _ => Err("`exists` takes one path, as in `exists(entry.text)`".to_owned()),
        }
    }

    fn comparison(&mut self) -> Result<Expr, String> {
        let left = self.operand()?;
        let comparison = match self.rest.first().map(|(_, token)| token) {
            Some(Token::Equal) => Comparison::Equal,
            Some(Token::NotEqual) => Comparison::NotEqual,
            Some(Token::Less) => Comparison::Less,
            Some(Token::LessOrEqual) => Comparison::LessOrEqual,
            Some(Token::Greater) => Comparison::Greater,
            Some(Token::GreaterOrEqual) => Comparison::GreaterOrEqual,
            _ => return Ok(Expr::Truthy(left)),
        };
        self.rest = self.rest.get(1..).unwrap_or_default();
        Ok(Expr::Compare(left, comparison, self.operand()?))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        let operand = match self.rest.first() {
            Some((_, Token::Literal(value))) => Operand::Literal(value.clone()),
            Some((_, Token::Path(path))) => Operand::Path(path.clone()),
            _ => return Err(format!("a value or a path is missing {}", self.place())),
        };
        self.rest = self.rest.get(1..).unwrap_or_default();
        Ok(operand)
    }

    fn place(&self) -> String {
        self.rest.first().map_or_else(|| "at the end".to_owned(), |(at, _)| format!("at {at}"))
    }
}

/// One part as it is, several joined.
fn join(mut parts: Vec<Expr>, all: fn(Vec<Expr>) -> Expr) -> Expr {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            all(parts)
        }
    }
}
