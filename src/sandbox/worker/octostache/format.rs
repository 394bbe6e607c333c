//! Numbers in the formats of .NET, without a culture.

use super::{case::lower, number};

/// What kind of number is written: they differ in their rounding and in some formats.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Decimal,
    Double,
}

/// The digits of a number, and how many of them stand before the point.
#[derive(Clone)]
struct Digits {
    negative: bool,
    all: Vec<u8>,
    scale: i32,
    kind: Kind,
}

/// The most digits that a `decimal` of .NET surely has.
const DECIMAL_DIGITS: usize = 28;

/// A number as it is written; none when the format is none.
pub(super) struct Written(pub(super) Option<String>);

/// A text as a `decimal` in this format; none when it is not such a number.
pub(super) fn decimal(text: &str, format: &str) -> Result<Option<Written>, String> {
    let Some(parts) = number::parts(text, false, true) else { return Ok(None) };
    let mut digits = format!("{}{}", parts.whole, parts.fraction).into_bytes();
    let mut scale = parts.whole.len() as i32;
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.drain(..zeros);
    scale -= zeros as i32;
    if digits.len() > DECIMAL_DIGITS || parts.fraction.len() > DECIMAL_DIGITS {
        return Err(format!("the sandbox does not round {text:?} as .NET does: it has more than {DECIMAL_DIGITS} digits"));
    }
    if digits.is_empty() {
        // Zero keeps its decimals: they are written in the general format.
        scale = 0;
    }
    let number = Digits { negative: parts.negative, all: digits, scale, kind: Kind::Decimal };
    Ok(Some(Written(write(number, parts.fraction.len(), format))))
}

/// A `double` in this format; none when the format is none.
pub(super) fn double(value: f64, format: &str) -> Option<String> {
    if !value.is_finite() {
        return Some(number::shortest(value));
    }
    let (code, wanted) = specifier(format);
    if matches!(code, Some('g' | 'G')) && wanted.is_none_or(|wanted| wanted == 0) || matches!(code, Some('r' | 'R')) {
        let text = number::shortest(value);
        return Some(if matches!(code, Some('g' | 'r')) { text.replace('E', "e") } else { text });
    }
    let exact = format!("{:.1074}", value.abs());
    let (whole, fraction) = exact.split_once('.').expect("a point");
    let whole = whole.trim_start_matches('0');
    let mut digits = format!("{whole}{fraction}").into_bytes();
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let mut scale = whole.len() as i32 - zeros as i32;
    digits.drain(..zeros);
    if digits.is_empty() {
        scale = 0;
    }
    let mut number = Digits { negative: value.is_sign_negative(), all: digits, scale, kind: Kind::Double };
    number.strip();
    if code.is_none() {
        number.round(15, true);
    }
    write(number, 0, format)
}

/// An `int` in this format; none when the format is none.
pub(super) fn int(value: i32, format: &str) -> Option<String> {
    let (code, wanted) = specifier(format);
    let width = wanted.unwrap_or(0);
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    match code {
        Some('d' | 'D') => return Some(format!("{sign}{digits:0>width$}")),
        Some('x') => return Some(format!("{value:0width$x}")),
        Some('X') => return Some(format!("{value:0width$X}")),
        Some('b' | 'B') => return Some(format!("{value:0width$b}")),
        Some('g' | 'G' | 'r' | 'R') if width == 0 => return Some(format!("{sign}{digits}")),
        _ => {}
    }
    let digits = digits.trim_start_matches('0').as_bytes().to_vec();
    let mut number = Digits { negative: value < 0, scale: digits.len() as i32, all: digits, kind: Kind::Int };
    number.strip();
    write(number, 0, format)
}

/// A character and how many digits; no character where the format is made of parts.
fn specifier(format: &str) -> (Option<char>, Option<usize>) {
    let mut all = format.chars();
    let Some(code) = all.next() else { return (Some('G'), None) };
    let rest = all.as_str();
    if !code.is_ascii_alphabetic() || !rest.bytes().all(|b| b.is_ascii_digit()) || rest.len() > 9 {
        return (None, None);
    }
    (Some(code), rest.parse().ok())
}

/// `decimals` is how many a `decimal` was written with.
fn write(mut number: Digits, decimals: usize, format: &str) -> Option<String> {
    let (code, wanted) = specifier(format);
    let Some(code) = code else { return Some(custom(number, format)) };
    let (places, even) = (wanted.unwrap_or(2), number.kind == Kind::Double);
    let negative = |number: &Digits| if number.negative { "-" } else { "" };
    Some(match code.to_ascii_uppercase() {
        'F' | 'N' | 'C' | 'P' => {
            if code.eq_ignore_ascii_case(&'P') && !number.all.is_empty() {
                number.scale += 2;
            }
            number.round(number.scale.saturating_add(places as i32), even);
            let body = number.fixed(places, !code.eq_ignore_ascii_case(&'F'));
            match (code.to_ascii_uppercase(), number.negative) {
                ('C', true) => format!("(\u{a4}{body})"),
                ('C', false) => format!("\u{a4}{body}"),
                ('P', _) => format!("{}{body} %", negative(&number)),
                _ => format!("{}{body}", negative(&number)),
            }
        }
        'E' => {
            let places = wanted.unwrap_or(6) + 1;
            number.round(places as i32, even);
            format!("{}{}", negative(&number), number.scientific(places, code))
        }
        'G' | 'R' => {
            let exact = number.kind == Kind::Decimal && wanted.is_none();
            let most = match wanted.filter(|wanted| *wanted > 0) {
                Some(most) => most,
                None if number.kind == Kind::Int => 10,
                None => DECIMAL_DIGITS + 1,
            };
            if !exact {
                number.round(most as i32, even);
            } else if number.all.is_empty() {
                return Some(if decimals == 0 { "0".to_owned() } else { format!("0.{}", "0".repeat(decimals)) });
            }
            format!("{}{}", negative(&number), number.general(most, if code.is_ascii_uppercase() { 'E' } else { 'e' }, exact))
        }
        _ => return None,
    })
}

impl Digits {
    fn strip(&mut self) {
        while self.all.last() == Some(&b'0') {
            self.all.pop();
        }
    }

    fn digit(&self, at: usize) -> char {
        self.all.get(at).map_or('0', |digit| char::from(*digit))
    }

    /// To so many digits: halves away from zero, or to the even digit as the digits of a `double` are made.
    fn round(&mut self, to: i32, to_even: bool) {
        if to < 0 || self.all.is_empty() {
            self.all.clear();
        } else if (to as usize) < self.all.len() {
            let rest = &self.all[to as usize..];
            let half = rest[0] == b'5' && rest[1..].iter().all(|digit| *digit == b'0');
            let odd = to > 0 && self.all[to as usize - 1] % 2 == 1;
            let up = if half && to_even { odd } else { rest[0] >= b'5' };
            self.all.truncate(to as usize);
            if up {
                while self.all.last() == Some(&b'9') {
                    self.all.pop();
                }
                if let Some(last) = self.all.last_mut() {
                    *last += 1;
                } else {
                    self.scale += 1;
                    self.all.push(b'1');
                }
            }
        }
        self.strip();
        if self.all.is_empty() {
            self.scale = 0;
            self.negative &= self.kind == Kind::Double;
        }
    }

    fn whole(&self) -> String {
        if self.scale <= 0 { "0".to_owned() } else { (0..self.scale as usize).map(|at| self.digit(at)).collect() }
    }

    fn fixed(&self, places: usize, groups: bool) -> String {
        let mut out = self.whole();
        if groups {
            let mut at = out.len();
            while at > 3 {
                at -= 3;
                out.insert(at, ',');
            }
        }
        if places > 0 {
            out.push('.');
            out.extend((0..places as i32).map(|place| self.scale + place).map(|at| if at < 0 { '0' } else { self.digit(at as usize) }));
        }
        out
    }

    fn scientific(&self, places: usize, code: char) -> String {
        let mut out = String::from(self.digit(0));
        if places > 1 {
            out.push('.');
            out.extend((1..places).map(|at| self.digit(at)));
        }
        let power = if self.all.is_empty() { 0 } else { self.scale - 1 };
        out.push_str(&exponent(power, code, 3, true));
        out
    }

    fn general(&self, most: usize, code: char, plain: bool) -> String {
        let scientific = !plain && (self.scale > most as i32 || self.scale < -3);
        let point = if scientific { 1 } else { self.scale };
        let mut out: String = if point > 0 { (0..point as usize).map(|at| self.digit(at)).collect() } else { "0".to_owned() };
        let rest = self.all.get(point.max(0) as usize..).unwrap_or_default();
        if !rest.is_empty() || point < 0 {
            out.push('.');
            out.push_str(&"0".repeat(point.min(0).unsigned_abs() as usize));
            out.extend(rest.iter().map(|digit| char::from(*digit)));
        }
        if scientific {
            out.push_str(&exponent(self.scale - 1, code, 2, true));
        }
        out
    }
}

fn exponent(power: i32, code: char, width: usize, plus: bool) -> String {
    let sign = if power < 0 {
        "-"
    } else if plus {
        "+"
    } else {
        ""
    };
    format!("{code}{sign}{:0width$}", power.unsigned_abs())
}

/// The section of a format for negative numbers or zero, if it has one: where it begins.
fn section(format: &[char], wanted: usize) -> usize {
    let (mut at, mut left) = (0, wanted);
    while left > 0 {
        match format.get(at) {
            None => return 0,
            Some(quote @ ('\'' | '"')) => {
                at += 1;
                while format.get(at).is_some_and(|c| c != quote) {
                    at += 1;
                }
                at += 1;
            }
            Some('\\') => at += 2,
            Some(';') => {
                at += 1;
                left -= 1;
                if left == 0 {
                    return if format.get(at).is_none_or(|c| *c == ';') { 0 } else { at };
                }
            }
            Some(_) => at += 1,
        }
    }
    at
}

/// What stands in a section.
#[derive(Default)]
struct SectionPlan {
    digits: i32,
    point: Option<i32>,
    first: Option<i32>,
    last: i32,
    scientific: bool,
    groups: bool,
    adjust: i32,
}

fn plan(format: &[char], begin: usize) -> SectionPlan {
    let mut plan = SectionPlan::default();
    let mut thousands: Option<(i32, i32)> = None;
    let mut at = begin;
    let zero = |at: usize| format.get(at) == Some(&'0');
    while let Some(&c) = format.get(at).filter(|c| **c != ';') {
        at += 1;
        match c {
            '#' => plan.digits += 1,
            '0' => {
                plan.first.get_or_insert(plan.digits);
                plan.digits += 1;
                plan.last = plan.digits;
            }
            '.' => _ = plan.point.get_or_insert(plan.digits),
            ',' if plan.digits > 0 && plan.point.is_none() => match &mut thousands {
                Some((place, count)) if *place == plan.digits => *count += 1,
                other => {
                    plan.groups |= other.is_some();
                    *other = Some((plan.digits, 1));
                }
            },
            '%' => plan.adjust += 2,
            '\u{2030}' => plan.adjust += 3,
            '\'' | '"' => at += format[at..].iter().take_while(|one| **one != c).count() + 1,
            '\\' => at += 1,
            'E' | 'e' if zero(at) || (matches!(format.get(at), Some('+' | '-')) && zero(at + 1)) => {
                at += 1;
                while zero(at) {
                    at += 1;
                }
                plan.scientific = true;
            }
            _ => {}
        }
    }
    let point = *plan.point.get_or_insert(plan.digits);
    if let Some((place, count)) = thousands {
        if place == point {
            plan.adjust -= count * 3;
        } else {
            plan.groups = true;
        }
    }
    plan
}

fn custom(mut number: Digits, format: &str) -> String {
    let format: Vec<char> = format.chars().collect();
    number.strip();
    let mut begin = section(&format, if number.all.is_empty() { 2 } else { usize::from(number.negative) });
    let plan = loop {
        let plan = plan(&format, begin);
        if number.all.is_empty() {
            number.scale = 0;
            number.negative &= number.kind == Kind::Double;
            break plan;
        }
        number.scale += plan.adjust;
        let point = plan.point.unwrap_or(0);
        number.round(if plan.scientific { plan.digits } else { number.scale + plan.digits - point }, false);
        if number.all.is_empty() {
            let other = section(&format, 2);
            if other != begin {
                begin = other;
                continue;
            }
        }
        break plan;
    };
    fill(&number, &format, begin, &plan)
}

fn fill(number: &Digits, format: &[char], begin: usize, plan: &SectionPlan) -> String {
    let point = plan.point.unwrap_or(0);
    let first = plan.first.filter(|first| *first < point).map_or(0, |first| point - first);
    let last = if plan.last > point { point - plan.last } else { 0 };
    let (mut place, mut adjust) = if plan.scientific { (point, 0) } else { (number.scale.max(point), number.scale - point) };
    let mut next = 0;
    let mut out = String::new();
    if number.negative && begin == 0 && number.scale != 0 {
        out.push('-');
    }
    // A comma stands behind the digit of each third place.
    let most = first.max(place + adjust.min(0));
    let comma = |place: i32, out: &mut String| {
        if plan.groups && place > 1 && place <= most && (place - 1) % 3 == 0 {
            out.push(',');
        }
    };
    let (mut scientific, mut pointed) = (plan.scientific, false);
    let mut at = begin;
    while let Some(&c) = format.get(at).filter(|c| **c != ';') {
        at += 1;
        if matches!(c, '#' | '0' | '.') {
            while adjust > 0 {
                out.push(number.digit(next));
                next += 1;
                comma(place, &mut out);
                place -= 1;
                adjust -= 1;
            }
        }
        match c {
            '#' | '0' => {
                let digit = if adjust < 0 {
                    adjust += 1;
                    (place <= first).then_some('0')
                } else if next < number.all.len() {
                    next += 1;
                    Some(number.digit(next - 1))
                } else {
                    (place > last).then_some('0')
                };
                if let Some(digit) = digit {
                    out.push(digit);
                    comma(place, &mut out);
                }
                place -= 1;
            }
            '.' if place == 0 && !pointed && (last < 0 || (point < plan.digits && next < number.all.len())) => {
                out.push('.');
                pointed = true;
            }
            '.' | ',' => {}
            '\'' | '"' => {
                while let Some(one) = format.get(at) {
                    at += 1;
                    if *one == c {
                        break;
                    }
                    out.push(*one);
                }
            }
            '\\' => {
                out.extend(format.get(at));
                at += 1;
            }
            'E' | 'e' => {
                let sign = format.get(at).copied().filter(|sign| matches!(sign, '+' | '-'));
                let zeros = format[(at + usize::from(sign.is_some())).min(format.len())..].iter().take_while(|c| **c == '0').count();
                if scientific && zeros > 0 {
                    let power = if number.all.is_empty() { 0 } else { number.scale - point };
                    out.push_str(&exponent(power, c, zeros.min(10), sign == Some('+')));
                    scientific = false;
                    at += usize::from(sign.is_some()) + zeros;
                } else if scientific {
                    out.push(c);
                } else {
                    out.push(c);
                    out.extend(sign);
                    out.push_str(&"0".repeat(zeros));
                    at += usize::from(sign.is_some()) + zeros;
                }
            }
            other => out.push(other),
        }
    }
    if number.negative && begin == 0 && number.scale == 0 && !out.is_empty() {
        out.insert(0, '-');
    }
    out
}

/// What the option of `Format` names.
pub(super) fn type_of(option: &str) -> Option<&'static str> {
    Some(match lower(option).as_str() {
        "int32" | "int" => "int",
        "double" => "double",
        "decimal" => "decimal",
        "date" | "datetime" => "date",
        "datetimeoffset" => "offset",
        _ => return None,
    })
}
