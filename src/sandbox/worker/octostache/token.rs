//! The parts of a template, and how each is printed back when it cannot be evaluated.

use std::{fmt, rc::Rc};

/// A place in a template. Part of what makes two names the same one when a loop is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    pub(super) offset: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// One part of the path to a value: `Name`, `[index]` or `[#{Name}]`.
#[derive(Clone, Debug)]
pub(super) enum PathStep {
    Name(String, Position),
    /// The text is none where a lookup came to a variable without a value; the place where it came from a lookup.
    Index(Option<String>, Option<Position>),
    Lookup(Rc<Symbol>, Option<Position>),
}

impl PartialEq for PathStep {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a, x), Self::Name(b, y)) => a == b && x == y,
            (Self::Index(a, x), Self::Index(b, y)) => a == b && x == y,
            // The real library compares these by reference.
            (Self::Lookup(a, x), Self::Lookup(b, y)) => Rc::ptr_eq(a, b) && x == y,
            _ => false,
        }
    }
}

/// The path to a value.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Symbol {
    pub(super) steps: Vec<PathStep>,
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            match step {
                PathStep::Name(text, _) if number == 0 => f.write_str(text)?,
                PathStep::Name(text, _) => write!(f, ".{text}")?,
                PathStep::Index(text, _) => write!(f, "[{}]", text.as_deref().unwrap_or_default())?,
                PathStep::Lookup(symbol, _) => write!(f, "[#{{{symbol}}}]")?,
            }
        }
        Ok(())
    }
}

/// Something that has a text: a value, or what a filter makes of one.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Symbol(Rc<Symbol>),
    Filter { name: String, argument: Box<Expression>, options: Vec<Rc<Token>> },
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(symbol) => symbol.fmt(f),
            Self::Filter { name, argument, options } => {
                write!(f, "{argument} | {name}")?;
                for option in options {
                    match &**option {
                        Token::Text(_) => write!(f, " \"{option}\"")?,
                        _ => write!(f, " {option}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// What the left side of a condition is compared with, and whether it has to be equal.
#[derive(Clone, Debug)]
pub(super) enum Right {
    Nothing,
    Text(String, bool),
    Expression(Expression, bool),
}

/// A condition.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) left: Expression,
    pub(super) right: Right,
}

/// A sum.
#[derive(Clone, Debug)]
pub(super) enum Sum {
    Number(f64),
    Value(Rc<Symbol>),
    Of(Box<Sum>, char, Box<Sum>),
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => f.write_str(&super::number::shortest(*number)),
            Self::Value(symbol) => symbol.fmt(f),
            Self::Of(left, sign, right) => write!(f, "{left}{sign}{right}"),
        }
    }
}

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Token {
    Text(String),
    Value(Expression),
    If { condition: Condition, yes: Vec<Rc<Token>>, no: Vec<Rc<Token>> },
    Each { collection: Rc<Symbol>, name: String, body: Vec<Rc<Token>> },
    Sum(Sum),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |f: &mut fmt::Formatter<'_>, tokens: &[Rc<Token>]| tokens.iter().try_for_each(|token| token.fmt(f));
        match self {
            Self::Text(text) => f.write_str(&text.replace("#{", "##{")),
            Self::Value(expression) => write!(f, "#{{{expression}}}"),
            Self::Sum(sum) => write!(f, "#{{{sum}}}"),
            Self::If { condition, yes, no } => {
                let sign = |equal: &bool| if *equal { "==" } else { "!=" };
                write!(f, "#{{if {}", condition.left)?;
                match &condition.right {
                    Right::Nothing => {}
                    Right::Text(text, equal) => write!(f, " {} \"{text}\" ", sign(equal))?,
                    Right::Expression(expression, equal) => write!(f, " {} {expression} ", sign(equal))?,
                }
                f.write_str("}")?;
                all(f, yes)?;
                if !no.is_empty() {
                    f.write_str("#{else}")?;
                    all(f, no)?;
                }
                f.write_str("#{/if}")
            }
            Self::Each { collection, name, body } => {
                write!(f, "#{{each {name} in {collection}}}")?;
                all(f, body)?;
                f.write_str("#{/each}")
            }
        }
    }
}
