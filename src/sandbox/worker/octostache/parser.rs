//! The grammar of Octostache, rule by rule as its own parser has it: also where a rule gives up, for in a file the text goes on there.

use super::token::{Condition, Expression, PathStep, Position, Right, Sum, Symbol, Token};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// What was read and where it ends, or where it could not be read any further.
type Parsed<T> = Result<(T, usize), usize>;

/// How deep a template may nest. The real library has no limit but its stack.
const DEEPEST: usize = 200;

/// A template. None when it does not parse; in a file what does not parse is text.
pub(super) fn template(text: &str, file: bool) -> Result<Option<Vec<Rc<Token>>>, String> {
    let parser = Parser::new(text);
    let (tokens, end) = if file { parser.file() } else { parser.many(0, &|_| false) };
    match parser.fatal.take() {
        Some(problem) => Err(problem),
        None => Ok((end == parser.text.len()).then_some(tokens)),
    }
}

/// The path that the name of a variable is, as far as it is one.
pub(super) fn path(name: &str) -> Option<Symbol> {
    Parser::new(name).symbol(0).ok().map(|(symbol, _)| symbol)
}

/// Letters and digits as .NET has them: UTF-16 units, so that nothing outside of the first plane is one.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || (!c.is_ascii()
            && c <= '\u{FFFF}'
            && (c.general_category_group() == GeneralCategoryGroup::Letter || c.general_category() == GeneralCategory::DecimalNumber))
}

fn is_number(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c <= '\u{FFFF}' && c.general_category_group() == GeneralCategoryGroup::Number)
}

struct Parser {
    text: Vec<char>,
    places: Vec<Position>,
    /// What begins with `#{` at a place: without this, openings that nobody closes would take time without bounds.
    seen: RefCell<HashMap<usize, Parsed<Rc<Token>>>>,
    depth: Cell<usize>,
    /// What ends the evaluation, and not only a rule.
    fatal: RefCell<Option<String>>,
}

impl Parser {
    fn new(text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        let (mut line, mut column) = (1, 1);
        let mut places = Vec::with_capacity(text.len() + 1);
        let mut offset = 0;
        for c in &text {
            places.push(Position { offset, line, column });
            offset += c.len_utf16();
            (line, column) = if *c == '\n' { (line + 1, 1) } else { (line, column + c.len_utf16()) };
        }
        places.push(Position { offset, line, column });
        Self { text, places, seen: RefCell::default(), depth: Cell::new(0), fatal: RefCell::default() }
    }

    // The small parts.

    fn char_if(&self, at: usize, right: impl Fn(char) -> bool) -> Parsed<char> {
        self.text.get(at).filter(|c| right(**c)).map_or(Err(at), |c| Ok((*c, at + 1)))
    }

    fn literal(&self, at: usize, text: &str) -> Result<usize, usize> {
        text.chars().enumerate().try_fold(at, |at, (_, wanted)| self.char_if(at, |c| c == wanted).map(|(_, end)| end))
    }

    fn keyword(&self, at: usize, text: &str) -> Result<usize, usize> {
        text.chars().try_fold(at, |at, wanted| self.char_if(at, |c| c.eq_ignore_ascii_case(&wanted)).map(|(_, end)| end))
    }

    fn spaces(&self, at: usize) -> usize {
        at + self.text[at..].iter().take_while(|c| c.is_whitespace()).count()
    }

    fn some_space(&self, at: usize) -> Result<usize, usize> {
        self.char_if(at, char::is_whitespace).map(|(_, end)| self.spaces(end))
    }

    /// A rule with space around it.
    fn spaced<T>(&self, at: usize, rule: impl FnOnce(usize) -> Parsed<T>) -> Parsed<T> {
        rule(self.spaces(at)).map(|(value, end)| (value, self.spaces(end)))
    }

    /// The opening of anything but an end.
    fn open(&self, at: usize) -> Result<usize, usize> {
        if self.literal(at, "#{/").is_ok() { Err(at) } else { self.literal(at, "#{") }
    }

    // Names and values.

    /// Not as strange as it looks: the lookahead never sees the last character.
    fn space_before(&self, at: usize, what: char) -> bool {
        self.text[at].is_whitespace() && at + 2 < self.text.len() && self.text[at + 1] == what
    }

    fn name_char(&self, at: usize, with_space: bool) -> Parsed<char> {
        let (c, end) = self.char_if(at, |c| is_word(c) || "_-:/~()@".contains(c) || (with_space && c.is_whitespace()))?;
        if self.space_before(at, '|') || self.space_before(at, '}') {
            return Err(at);
        }
        let keyword = |word: &str| {
            let after = end + word.len();
            after < self.text.len() && self.text[after].is_whitespace() && self.literal(end, word).is_ok()
        };
        if c.is_whitespace() && ["in", "==", "!="].iter().any(|word| keyword(word)) { Err(end) } else { Ok((c, end)) }
    }

    fn name(&self, at: usize, with_space: bool) -> Parsed<String> {
        let (first, mut end) = self.name_char(at, with_space)?;
        let mut name = String::from(first);
        while let Ok((c, next)) = self.name_char(end, with_space) {
            name.push(c);
            end = next;
        }
        Ok((name.trim().to_owned(), end))
    }

    fn symbol(&self, at: usize) -> Parsed<Symbol> {
        let (first, mut end) = self.name(at, true)?;
        let mut steps = vec![PathStep::Name(first, self.places[at])];
        while let Ok((step, next)) = self.trailing(end) {
            steps.push(step);
            end = next;
        }
        Ok((Symbol { steps }, end))
    }

    fn trailing(&self, at: usize) -> Parsed<PathStep> {
        match self.char_if(at, |c| c == '.') {
            Ok((_, end)) => self.name(end, true).map(|(name, after)| (PathStep::Name(name, self.places[end]), after)),
            Err(_) => self.index(at),
        }
    }

    fn index(&self, at: usize) -> Parsed<PathStep> {
        let place = Some(self.places[at]);
        let lookup = self.char_if(at, |c| c == '[').and_then(|(_, end)| {
            let (symbol, end) = self.spaced(end, |at| self.index_lookup(at))?;
            self.char_if(end, |c| c == ']').map(|(_, end)| (PathStep::Lookup(symbol, place), end))
        });
        or(at, lookup, || self.index_text(at).map(|(text, end)| (PathStep::Index(Some(text), place), end)))
    }

    fn index_lookup(&self, at: usize) -> Parsed<Rc<Symbol>> {
        match self.spaced(at, |at| self.value(at))? {
            (Expression::Symbol(symbol), end) => Ok((symbol, end)),
            _ => Err(at),
        }
    }

    /// An index may hold others: `Package[containers[0].container]`.
    fn index_text(&self, at: usize) -> Parsed<String> {
        self.deeper(at, || {
            let (_, end) = self.char_if(at, |c| c == '[')?;
            let mut at = self.spaces(end);
            let mut text = String::new();
            loop {
                if let Ok((inner, end)) = self.index_text(at) {
                    text.push('[');
                    text.push_str(&inner);
                    text.push(']');
                    at = end;
                } else if let Ok((c, end)) = self.char_if(at, |c| c != '[' && c != ']') {
                    text.push(c);
                    at = end;
                } else {
                    break;
                }
            }
            self.char_if(self.spaces(at), |c| c == ']').map(|(_, end)| (text, end))
        })
    }

    fn expression(&self, at: usize) -> Parsed<Expression> {
        or(at, self.filters(at), || self.symbol(at).map(|(symbol, end)| (Expression::Symbol(Rc::new(symbol)), end)))
    }

    fn filters(&self, at: usize) -> Parsed<Expression> {
        let (symbol, end) = self.spaced(at, |at| self.symbol(at)).unwrap_or((Symbol::default(), at));
        let (mut all, mut end) = self.filter(end, Expression::Symbol(Rc::new(symbol)))?;
        while let Ok((next, after)) = self.filter(end, all.clone()) {
            (all, end) = (next, after);
        }
        Ok((all, end))
    }

    fn filter(&self, at: usize, argument: Expression) -> Parsed<Expression> {
        let (_, end) = self.char_if(at, |c| c == '|')?;
        let (name, mut end) = self.spaced(end, |at| self.name(at, false))?;
        let mut options = Vec::new();
        while let Ok((option, after)) = self.option(end) {
            options.push(option);
            end = after;
        }
        Ok((Expression::Filter { name, argument: Box::new(argument), options }, end))
    }

    fn option(&self, at: usize) -> Parsed<Rc<Token>> {
        or(at, self.construct(at), || {
            let text = or(at, self.spaced(at, |at| self.name(at, false)), || self.quoted(at));
            text.map(|(text, end)| (Rc::new(Token::Text(text)), end))
        })
    }

    /// A text in quotes, or in quotes that are escaped for a JSON file.
    fn quoted(&self, at: usize) -> Parsed<String> {
        let plain = self.spaced(at, |at| {
            let (_, begin) = self.char_if(at, |c| c == '"')?;
            let end = begin + self.text[begin..].iter().take_while(|c| **c != '"' && **c != '#').count();
            self.char_if(end, |c| c == '"').map(|(_, after)| (self.text[begin..end].iter().collect(), after))
        });
        or(at, plain, || {
            self.spaced(at, |at| {
                let begin = self.literal(at, "\\\"")?;
                let end = (begin..self.text.len()).find(|at| self.literal(*at, "\\\"").is_ok()).unwrap_or(self.text.len());
                self.literal(end, "\\\"").map(|after| (self.text[begin..end].iter().collect(), after))
            })
        })
    }

    // What stands between `#{` and `}`.

    fn value(&self, at: usize) -> Parsed<Expression> {
        self.deeper(at, || {
            let end = self.open(at)?;
            let (expression, end) = self.spaced(end, |at| self.expression(at))?;
            self.literal(end, "}").map(|end| (expression, end))
        })
    }

    fn condition(&self, at: usize) -> Parsed<Condition> {
        let sign = |at: usize| {
            let rule = |at: usize| or(at, self.keyword(at, "==").map(|end| (true, end)), || self.keyword(at, "!=").map(|end| (false, end)));
            self.spaced(at, rule)
        };
        let expression = |at: usize| self.spaced(at, |at| self.expression(at));
        let with_expression = || {
            let (left, end) = expression(at)?;
            let (equal, end) = sign(end)?;
            let (right, end) = expression(end)?;
            Ok((Condition { left, right: Right::Expression(right, equal) }, end))
        };
        let text_first = || {
            let (text, end) = self.spaced(at, |at| self.quoted(at))?;
            let (equal, end) = sign(end)?;
            let (left, end) = expression(end)?;
            Ok((Condition { left, right: Right::Text(text, equal) }, end))
        };
        let text_last = || {
            let (left, end) = expression(at)?;
            let (equal, end) = sign(end)?;
            let (text, end) = self.quoted(end)?;
            Ok((Condition { left, right: Right::Text(text, equal) }, self.spaces(end)))
        };
        let alone = || expression(at).map(|(left, end)| (Condition { left, right: Right::Nothing }, end));
        or(at, or(at, or(at, with_expression(), text_first), text_last), alone)
    }

    fn conditional(&self, at: usize) -> Parsed<Token> {
        let end = self.spaces(self.open(at)?);
        let (is_if, end) = or(end, self.keyword(end, "if").map(|end| (true, end)), || self.keyword(end, "unless").map(|end| (false, end)))?;
        let (condition, end) = self.condition(self.some_space(end)?)?;
        let end = self.literal(self.spaces(end), "}")?;
        let (body, mut end) = self.body(end, is_if);
        let mut branches = Vec::new();
        while let Some((branch, after)) = Some(end).filter(|_| is_if).and_then(|at| self.else_if(at).ok()) {
            branches.push(branch);
            end = after;
        }
        let (mut no, end) = match self.literal(end, "#{else}") {
            Ok(end) => self.many(end, &|_| false),
            Err(_) => (Vec::new(), end),
        };
        for (condition, yes) in branches.into_iter().rev() {
            no = vec![Rc::new(Token::If { condition, yes, no })];
        }
        let end = self.literal(end, if is_if { "#{/if}" } else { "#{/unless}" })?;
        let (yes, no) = if is_if { (body, no) } else { (no, body) };
        Ok((Token::If { condition, yes, no }, end))
    }

    fn else_if(&self, at: usize) -> Parsed<(Condition, Vec<Rc<Token>>)> {
        let (condition, end) = self.condition(self.else_if_begins(at)?)?;
        let end = self.literal(self.spaces(end), "}")?;
        let (body, end) = self.body(end, true);
        Ok(((condition, body), end))
    }

    fn else_if_begins(&self, at: usize) -> Result<usize, usize> {
        self.literal(at, "#{elseif").and_then(|end| self.char_if(end, char::is_whitespace)).map(|(_, end)| end)
    }

    fn body(&self, at: usize, of_if: bool) -> (Vec<Rc<Token>>, usize) {
        self.many(at, &|at| self.literal(at, "#{else}").is_ok() || (of_if && self.else_if_begins(at).is_ok()))
    }

    fn each(&self, at: usize) -> Parsed<Token> {
        let end = self.keyword(self.spaces(self.open(at)?), "each")?;
        let (name, end) = self.spaced(self.some_space(end)?, |at| self.name(at, true))?;
        let end = self.spaces(self.keyword(self.spaces(end), "in")?);
        let (symbol, end) = self.spaced(end, |at| self.symbol(at))?;
        let (body, end) = self.many(self.literal(end, "}")?, &|_| false);
        self.literal(end, "#{/each}").map(|end| (Token::Each { collection: Rc::new(symbol), name, body }, end))
    }

    // Sums.

    fn calculation(&self, at: usize) -> Parsed<Token> {
        let end = self.keyword(self.spaces(self.open(at)?), "calc")?;
        let (sum, end) = self.sum(self.some_space(end)?)?;
        self.literal(self.spaces(end), "}").map(|end| (Token::Sum(sum), end))
    }

    fn sum(&self, at: usize) -> Parsed<Sum> {
        self.deeper(at, || self.chain(at, ['+', '-'], &|at| self.chain(at, ['*', '/'], &|at| self.factor(at))))
    }

    fn chain(&self, at: usize, signs: [char; 2], operand: &dyn Fn(usize) -> Parsed<Sum>) -> Parsed<Sum> {
        let (mut all, mut end) = operand(at)?;
        while let Ok((sign, after)) = self.spaced(end, |at| self.char_if(at, |c| signs.contains(&c))) {
            let Ok((right, after)) = operand(after) else { break };
            all = Sum::Of(Box::new(all), sign, Box::new(right));
            end = after;
        }
        Ok((all, end))
    }

    fn factor(&self, at: usize) -> Parsed<Sum> {
        if let Ok((_, end)) = self.char_if(at, |c| c == '(') {
            let (sum, end) = self.sum(end)?;
            return self.char_if(end, |c| c == ')').map(|(_, end)| (sum, end));
        }
        let value = |at: usize| self.spaced(at, |at| self.symbol(at)).map(|(symbol, end)| (Sum::Value(Rc::new(symbol)), end));
        match self.decimal(at) {
            Err(end) if end == at => {}
            done => return done,
        }
        match self.literal(at, "{") {
            Ok(end) => {
                let (sum, end) = value(self.spaces(end))?;
                self.literal(self.spaces(end), "}").map(|end| (sum, end))
            }
            Err(_) => value(at),
        }
    }

    fn decimal(&self, at: usize) -> Parsed<Sum> {
        let digits = |at: usize| at + self.text[at..].iter().take_while(|c| is_number(**c)).count();
        let whole = digits(at);
        let end = match self.char_if(whole, |c| c == '.') {
            Err(_) if whole == at => return Err(at),
            Err(_) => whole,
            Ok((_, dot)) => Some(digits(dot)).filter(|end| *end > dot).ok_or(dot)?,
        };
        let text: String = self.text[at..end].iter().collect();
        let Ok(number) = text.parse() else {
            *self.fatal.borrow_mut() = Some(format!("FormatException: The input string '{text}' was not in a correct format."));
            return Err(end);
        };
        Ok((Sum::Number(number), end))
    }

    // Templates.

    fn text(&self, at: usize) -> Parsed<Rc<Token>> {
        let mut text = String::new();
        let mut end = at;
        let at_end = self.text.len();
        while let Some(c) = self.text.get(end) {
            if *c != '#' {
                text.push(*c);
                end += 1;
            } else if end + 1 == at_end {
                text.push('#');
                end += 1;
            } else if self.literal(end, "###{").is_ok() && end + 4 < at_end {
                text.push('#');
                end += 2;
            } else if self.literal(end, "##{").is_ok() {
                text.push_str("#{");
                end += 3;
            } else if self.text[end + 1] != '{' {
                text.extend(['#', self.text[end + 1]]);
                end += 2;
            } else {
                break;
            }
        }
        if end == at { Err(if at == at_end { at } else { at + 1 }) } else { Ok((Rc::new(Token::Text(text)), end)) }
    }

    fn construct(&self, at: usize) -> Parsed<Rc<Token>> {
        if self.literal(at, "#").is_err() {
            return Err(at);
        }
        if let Some(known) = self.seen.borrow().get(&at) {
            return known.clone();
        }
        let read = self.deeper(at, || {
            let value = || self.value(at).map(|(expression, end)| (Token::Value(expression), end));
            or(at, or(at, or(at, self.conditional(at), || self.calculation(at)), || self.each(at)), value)
        });
        let read = read.map(|(token, end)| (Rc::new(token), end));
        self.seen.borrow_mut().insert(at, read.clone());
        read
    }

    fn token(&self, at: usize) -> Parsed<Rc<Token>> {
        or(at, self.construct(at), || self.text(at))
    }

    fn many(&self, at: usize, stops: &dyn Fn(usize) -> bool) -> (Vec<Rc<Token>>, usize) {
        let (mut all, mut end) = (Vec::new(), at);
        while !stops(end) {
            let Ok((token, after)) = self.token(end) else { break };
            all.push(token);
            end = after;
        }
        (all, end)
    }

    /// What cannot be read is text as far as it was looked at.
    fn file(&self) -> (Vec<Rc<Token>>, usize) {
        let (mut all, mut at) = (Vec::new(), 0);
        loop {
            let (token, end) = self.token(at).unwrap_or_else(|end| (Rc::new(Token::Text(self.text[at..end].iter().collect())), end));
            if end == at {
                return (all, at);
            }
            all.push(token);
            at = end;
        }
    }

    fn deeper<T>(&self, at: usize, rule: impl FnOnce() -> Parsed<T>) -> Parsed<T> {
        if self.depth.get() == DEEPEST {
            *self.fatal.borrow_mut() = Some(format!("the sandbox does not evaluate a template that nests deeper than {DEEPEST} levels"));
        }
        if self.fatal.borrow().is_some() {
            return Err(at);
        }
        self.depth.set(self.depth.get() + 1);
        let read = rule();
        self.depth.set(self.depth.get() - 1);
        read
    }
}

/// The second where the first cannot be read, or is empty. What got furthest says where neither could.
fn or<T>(at: usize, first: Parsed<T>, second: impl FnOnce() -> Parsed<T>) -> Parsed<T> {
    match first {
        Err(end) => second().map_err(|other| other.max(end)),
        Ok((value, end)) if end == at => second().or(Ok((value, end))),
        read => read,
    }
}
