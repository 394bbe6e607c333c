//! What a template comes to with the variables of a step.

use super::{
    Variables,
    case::lower,
    filters, json,
    node::Node,
    number, parser,
    token::{Condition, Expression, PathStep, Right, Sum, Symbol, Token},
};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

/// How deep values may refer to values. The real library has no limit but its stack.
const DEEPEST: usize = 200;
/// How many parts may be evaluated: some variables that double each other would go on for years.
const MOST: usize = 200_000;

/// What ends an evaluation.
#[derive(Debug)]
pub(super) enum Thrown {
    /// A value that refers to itself. Where a member of JSON is looked for this only means that there is none.
    Loop(String),
    Other(String),
}

impl Thrown {
    pub(super) fn text(self) -> String {
        match self {
            Self::Loop(text) | Self::Other(text) => text,
        }
    }
}

type Evaluated<T> = Result<T, Thrown>;
/// A template that was parsed.
type Tokens = Rc<[Rc<Token>]>;

/// What became of a text.
#[derive(Debug)]
pub(super) struct TemplateOutcome {
    /// None where the filter `null` stood.
    pub(super) text: Option<String>,
    /// The parts that could not be evaluated, as they were printed back.
    pub(super) missing: Vec<String>,
}

/// Names that are known here, and where to look for others.
struct Scope<'p> {
    names: Arc<Node>,
    parent: Option<&'p Scope<'p>>,
    /// What is being evaluated.
    stack: RefCell<Vec<Rc<Symbol>>>,
}

impl<'p> Scope<'p> {
    fn new(names: Arc<Node>, parent: Option<&'p Scope<'p>>) -> Self {
        Self { names, parent, stack: RefCell::default() }
    }
}

/// One template that is evaluated: what it could not evaluate is remembered.
#[derive(Default)]
struct Notes {
    missing: Vec<String>,
    null: bool,
}

impl Notes {
    fn add(&mut self, more: impl IntoIterator<Item = String>) {
        for one in more {
            if !self.missing.contains(&one) {
                self.missing.push(one);
            }
        }
    }
}

struct Evaluator<'v> {
    variables: &'v Variables,
    /// The real library keeps what it has parsed, and compares lookups by their place in memory.
    known: RefCell<HashMap<String, Option<Tokens>>>,
    depth: Cell<usize>,
    done: Cell<usize>,
}

/// Evaluates a text that parses; None where it does not.
pub(super) fn run(text: &str, file: bool, variables: &Variables) -> Result<Option<TemplateOutcome>, String> {
    if let Some(problem) = &variables.broken {
        return Err(problem.clone());
    }
    let evaluator = Evaluator { variables, known: RefCell::default(), depth: Cell::new(0), done: Cell::new(0) };
    let tokens = if file { parser::template(text, true)?.map(Rc::from) } else { evaluator.parse(text).map_err(Thrown::text)? };
    let Some(tokens) = tokens else { return Ok(None) };
    let mut out = String::new();
    let mut notes = Notes::default();
    let scope = Scope::new(variables.root.clone(), None);
    evaluator.all(&tokens, &scope, &mut out, &mut notes).map_err(Thrown::text)?;
    Ok(Some(TemplateOutcome { text: (!notes.null).then_some(out), missing: notes.missing }))
}

impl Evaluator<'_> {
    fn parse(&self, text: &str) -> Evaluated<Option<Tokens>> {
        if let Some(known) = self.known.borrow().get(text) {
            return Ok(known.clone());
        }
        let parsed: Option<Tokens> = parser::template(text, false).map_err(Thrown::Other)?.map(Rc::from);
        self.known.borrow_mut().insert(text.to_owned(), parsed.clone());
        Ok(parsed)
    }

    fn all(&self, tokens: &[Rc<Token>], scope: &Scope<'_>, out: &mut String, notes: &mut Notes) -> Evaluated<()> {
        tokens.iter().try_for_each(|token| self.token(token, scope, out, notes))
    }

    fn token(&self, token: &Token, scope: &Scope<'_>, out: &mut String, notes: &mut Notes) -> Evaluated<()> {
        self.done.set(self.done.get() + 1);
        if self.done.get() > MOST || out.len() > MOST * 200 {
            return Err(Thrown::Other(format!("the sandbox does not evaluate variables that refer to each other more than {MOST} times")));
        }
        match token {
            Token::Text(text) => out.push_str(text),
            Token::Value(expression) => {
                if let Some(value) = self.expression(expression, scope, notes)? {
                    out.push_str(&value);
                } else {
                    let printed = token.to_string();
                    out.push_str(&printed);
                    match expression {
                        Expression::Filter { name, .. } if name == "null" => notes.null = true,
                        _ => notes.add([printed]),
                    }
                }
            }
            Token::Sum(sum) => match self.sum(sum, scope, notes)? {
                Some(value) => out.push_str(&number::shortest(value)),
                None => out.push_str(&token.to_string()),
            },
            Token::If { condition, yes, no } => match self.holds(condition, scope, notes)? {
                Ok(holds) => self.all(if holds { yes } else { no }, scope, out, notes)?,
                Err(side) => {
                    out.push_str(&token.to_string());
                    notes.add([side]);
                }
            },
            Token::Each { collection, name, body } => {
                let items = self.items(collection, scope, notes)?;
                for (number, item) in items.iter().enumerate() {
                    let mut names = Node::default();
                    let last = number + 1 == items.len();
                    let flag = |holds: bool| if holds { "True" } else { "False" };
                    for (special, value) in [("Index", number.to_string().as_str()), ("First", flag(number == 0)), ("Last", flag(last))] {
                        names.set(&format!("Octopus.Template.Each.{special}"), value).map_err(Thrown::Other)?;
                    }
                    if !names.members.add(name, item.clone()) {
                        let problem = format!("ArgumentException: An item with the same key has already been added. Key: {name}");
                        return Err(Thrown::Other(problem));
                    }
                    self.all(body, &Scope::new(Arc::new(names), Some(scope)), out, notes)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a condition holds, or the side that has no value.
    fn holds(&self, condition: &Condition, scope: &Scope<'_>, notes: &mut Notes) -> Evaluated<Result<bool, String>> {
        let mut side = |expression: &Expression| match expression {
            Expression::Symbol(symbol) => {
                let (found, missing) = self.walk(scope, symbol)?;
                notes.add(missing);
                Ok(Ok(found.and_then(|node| node.item.clone()).unwrap_or_default()))
            }
            Expression::Filter { .. } => Ok(self.expression(expression, scope, notes)?.ok_or_else(|| expression.to_string())),
        };
        let left = match side(&condition.left)? {
            Ok(left) => left,
            Err(missing) => return Ok(Err(missing)),
        };
        Ok(match &condition.right {
            Right::Nothing => Ok(is_truthy(&left)),
            Right::Text(text, equal) => Ok((left == *text) == *equal),
            Right::Expression(expression, equal) => side(expression)?.map(|right| (left == right) == *equal),
        })
    }

    fn expression(&self, expression: &Expression, scope: &Scope<'_>, notes: &mut Notes) -> Evaluated<Option<String>> {
        match expression {
            Expression::Symbol(symbol) => {
                let (found, missing) = self.walk(scope, symbol)?;
                notes.add(missing);
                Ok(found.and_then(|node| node.item.clone()))
            }
            Expression::Filter { name, argument, options } => {
                let argument = self.expression(argument, scope, notes)?;
                let mut texts = Vec::with_capacity(options.len());
                for option in options {
                    let mut text = String::new();
                    self.token(option, &Scope::new(Arc::default(), Some(scope)), &mut text, notes)?;
                    texts.push(text);
                }
                filters::invoke(name, argument.as_deref(), &texts, self.variables.now).map_err(Thrown::Other)
            }
        }
    }

    fn sum(&self, sum: &Sum, scope: &Scope<'_>, notes: &mut Notes) -> Evaluated<Option<f64>> {
        Ok(match sum {
            Sum::Number(number) => Some(*number),
            Sum::Value(symbol) => {
                let (found, missing) = self.walk(scope, symbol)?;
                notes.add(missing);
                found.and_then(|node| node.item.as_deref().and_then(number::parse_double))
            }
            Sum::Of(left, sign, right) => {
                let Some(left) = self.sum(left, scope, notes)? else { return Ok(None) };
                let Some(right) = self.sum(right, scope, notes)? else { return Ok(None) };
                Some(match sign {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    _ => left / right,
                })
            }
        })
    }

    /// What `each` goes through: what has an index, what JSON holds, or texts between commas.
    fn items(&self, collection: &Rc<Symbol>, scope: &Scope<'_>, notes: &mut Notes) -> Evaluated<Vec<Arc<Node>>> {
        let (found, missing) = self.walk(scope, collection)?;
        notes.add(missing);
        let Some(node) = found else { return Ok(Vec::new()) };
        if !node.indexed.all().is_empty() {
            return Ok(node.indexed.all().to_vec());
        }
        let Some(item) = &node.item else { return Ok(Vec::new()) };
        if let Some(items) = json::items(item).map_err(Thrown::Other)? {
            return Ok(items);
        }
        Ok(item.split(',').map(|text| Arc::new(Node::of(Some(text)))).collect())
    }

    /// What a path leads to from here, with its value evaluated, and what that could not evaluate.
    fn walk(&self, scope: &Scope<'_>, symbol: &Rc<Symbol>) -> Evaluated<(Option<Arc<Node>>, Vec<String>)> {
        let mut ancestor = Some(scope);
        while let Some(one) = ancestor {
            let stack = one.stack.borrow();
            if stack.contains(symbol) {
                let path: Vec<String> = stack.iter().map(ToString::to_string).collect();
                return Err(Thrown::Loop(format!(
                    "RecursiveDefinitionException: An attempt to parse the variable symbol \"{symbol}\" appears to have resulted in a \
                     self referencing loop ({} -> {symbol}). Ensure that recursive loops do not exist in the variable values.",
                    path.join(" -> ")
                )));
            }
            ancestor = one.parent;
        }
        scope.stack.borrow_mut().push(symbol.clone());
        let found = self.walk_on(scope, symbol);
        scope.stack.borrow_mut().pop();
        found
    }

    fn walk_on(&self, scope: &Scope<'_>, symbol: &Rc<Symbol>) -> Evaluated<(Option<Arc<Node>>, Vec<String>)> {
        let symbol = self.looked_up(scope, symbol)?;
        let mut node = scope.names.clone();
        for step in &symbol.steps {
            let next = match step {
                PathStep::Name(name, _) => match node.members.get(name) {
                    Some(next) => Some(next.clone()),
                    None => self.json_member(scope, &node, name)?,
                },
                PathStep::Index(Some(index), _) => {
                    match node.indexed.all().first().filter(|_| index == "*").or_else(|| node.indexed.get(index)) {
                        Some(next) => Some(next.clone()),
                        None => self.json_member(scope, &node, index)?,
                    }
                }
                PathStep::Index(None, _) | PathStep::Lookup(..) => return Ok((None, Vec::new())),
            };
            match (next, scope.parent) {
                (Some(next), _) => node = next,
                (None, Some(parent)) => return self.walk(parent, &symbol),
                (None, None) => return Ok((None, Vec::new())),
            }
        }
        self.valued(scope, &node).map(|(node, missing)| (Some(node), missing))
    }

    /// The same path with its lookups done.
    fn looked_up(&self, scope: &Scope<'_>, symbol: &Rc<Symbol>) -> Evaluated<Rc<Symbol>> {
        if !symbol.steps.iter().any(|step| matches!(step, PathStep::Lookup(..))) {
            return Ok(symbol.clone());
        }
        let mut steps = Vec::with_capacity(symbol.steps.len());
        for step in &symbol.steps {
            steps.push(match step {
                PathStep::Lookup(inner, _) => match self.walk(scope, inner)?.0 {
                    Some(node) => PathStep::Index(node.item.clone(), None),
                    None => PathStep::Lookup(self.looked_up(scope, inner)?, None),
                },
                other => other.clone(),
            });
        }
        Ok(Rc::new(Symbol { steps }))
    }

    /// A node with its value evaluated; one without a value, or with one that does not parse, as it is.
    fn valued(&self, scope: &Scope<'_>, node: &Arc<Node>) -> Evaluated<(Arc<Node>, Vec<String>)> {
        let Some(item) = &node.item else { return Ok((node.clone(), Vec::new())) };
        let Some(tokens) = self.parse(item)? else { return Ok((node.clone(), Vec::new())) };
        if self.depth.get() == DEEPEST {
            return Err(Thrown::Other(format!(
                "the sandbox does not evaluate variables that refer to each other through more than {DEEPEST} others"
            )));
        }
        self.depth.set(self.depth.get() + 1);
        let mut out = String::new();
        let mut notes = Notes::default();
        let done = self.all(&tokens, &Scope::new(Arc::default(), Some(scope)), &mut out, &mut notes);
        self.depth.set(self.depth.get() - 1);
        done?;
        Ok((Arc::new(Node::of(Some(&out))), notes.missing))
    }

    /// A member of the JSON that a value is.
    fn json_member(&self, scope: &Scope<'_>, node: &Arc<Node>, name: &str) -> Evaluated<Option<Arc<Node>>> {
        let Some(item) = node.item.as_ref().filter(|item| !item.is_empty() && !name.is_empty()) else { return Ok(None) };
        let item = if item.contains("#{") {
            match self.valued(scope, node) {
                Ok((node, _)) => node.item.clone().unwrap_or_default(),
                Err(Thrown::Loop(_)) => return Ok(None),
                Err(other) => return Err(other),
            }
        } else {
            item.clone()
        };
        json::member(&item, name).map_err(Thrown::Other)
    }
}

fn is_truthy(value: &str) -> bool {
    value != "0" && !value.is_empty() && !["no", "false"].contains(&lower(value.trim()).as_str())
}
