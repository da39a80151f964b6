//! From tokens to the tree (FHIRPath, "Formal specifications", grammar).

use regex::RegexBuilder;

use crate::error::{ParseError, ParseErrorKind};
use crate::functions::Function;
use crate::lexer::{Token, TokenKind, fault, tokenize};
use crate::quantity::{Quantity, Unit};
use crate::syntax::{
    Call, LOOSEST, Node, Operator, Pattern, Sign, Step, TIGHTEST, TYPE_LEVEL, TypeOperator, TypeSpecifier,
};
use crate::system::{System, parse_decimal};
use crate::temporal::{Date, DateTime, Time};

/// Deepest nesting of an expression: parentheses, arguments, signs, and right operands that bind more tightly.
/// The deepest published expression stays below 20; evaluation follows the nesting on the stack.
pub(crate) const DEPTH_MAX: usize = 96;
/// Longest expression in bytes. The longest published one, a search parameter of R5, has about 6000.
pub(crate) const BYTES_MAX: usize = 64 * 1024;
/// Literal patterns in one expression, which are compiled with it. No published one has more than four.
const PATTERNS_MAX: usize = 8;
/// Memory that one regular expression may take, in bytes. The largest published one needs a third of this.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

type Parsed<T> = Result<T, ParseError>;

/// Parses a whole expression.
pub(crate) fn parse(text: &str) -> Parsed<Node> {
    if text.len() > BYTES_MAX {
        return Err(fault(text, 0, ParseErrorKind::TooLong { bytes_max: BYTES_MAX }));
    }
    let mut parser = Parser { text, tokens: tokenize(text)?, at: 0, depth: 0, patterns: 0 };
    let node = parser.expression()?;
    match parser.kind() {
        TokenKind::End => Ok(node),
        _ => parser.unexpected("an operator or the end of the expression"),
    }
}

/// Compiles the pattern of a matching function: `.` matches line breaks too.
pub(crate) fn compile_pattern(pattern: &str) -> Result<Pattern, String> {
    RegexBuilder::new(pattern)
        .dot_matches_new_line(true)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .nest_limit(64)
        .build()
        .map(Pattern)
        .map_err(|error| match error {
            regex::Error::Syntax(_) => "it does not follow the syntax".to_owned(),
            _ => format!("it needs more than {PATTERN_BYTES_MAX} bytes"),
        })
}

/// The pattern that `matchesFull` compares with the whole text.
pub(crate) fn anchored(pattern: &str) -> String {
    format!(r"\A(?:{pattern})\z")
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token<'t>>,
    at: usize,
    depth: usize,
    patterns: usize,
}

impl<'t> Parser<'t> {
    fn kind(&self) -> &TokenKind<'t> {
        self.tokens.get(self.at).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn kind_after(&self) -> &TokenKind<'t> {
        self.tokens.get(self.at + 1).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn offset(&self) -> usize {
        self.tokens.get(self.at).map_or(self.text.len(), |token| token.start)
    }

    fn advance(&mut self) {
        self.at += 1;
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.kind(), TokenKind::Symbol(found) if *found == symbol)
    }

    /// Takes the symbol if it stands here.
    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn fault<T>(&self, offset: usize, kind: ParseErrorKind) -> Parsed<T> {
        Err(fault(self.text, offset, kind))
    }

    fn unexpected<T>(&self, expected: &'static str) -> Parsed<T> {
        let (start, end) = self.tokens.get(self.at).map_or((0, 0), |token| (token.start, token.end));
        let found = self.text.get(start..end).unwrap_or_default().chars().take(24).collect();
        self.fault(self.offset(), ParseErrorKind::Unexpected { expected, found })
    }

    fn expression(&mut self) -> Parsed<Node> {
        self.level(LOOSEST)
    }

    /// An expression whose operators bind at least as tightly as `level`.
    fn level(&mut self, level: u8) -> Parsed<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fault(self.offset(), ParseErrorKind::TooDeep { depth_max: DEPTH_MAX });
        }
        let mut node = self.operand()?;
        // From the tightest level outwards, each as often as its operators follow.
        for here in (level..=TIGHTEST).rev() {
            node = if here == TYPE_LEVEL { self.type_chain(node)? } else { self.chain(node, here)? };
        }
        self.depth -= 1;
        Ok(node)
    }

    /// The operator that stands here.
    fn operator(&self) -> Option<Operator> {
        match self.kind() {
            TokenKind::Symbol(symbol) => Operator::written(symbol),
            TokenKind::Word(word) => Operator::written(word),
            _ => None,
        }
    }

    /// Operators of exactly this level and their right operands.
    fn chain(&mut self, first: Node, level: u8) -> Parsed<Node> {
        let mut rest = Vec::new();
        while let Some(operator) = self.operator().filter(|operator| operator.level() == level) {
            self.advance();
            rest.push((operator, self.level(level + 1)?));
        }
        if rest.is_empty() { Ok(first) } else { Ok(Node::Chain { first: Box::new(first), rest }) }
    }

    fn type_chain(&mut self, operand: Node) -> Parsed<Node> {
        let mut rest = Vec::new();
        loop {
            let operator = match self.kind() {
                TokenKind::Word("is") => TypeOperator::Is,
                TokenKind::Word("as") => TypeOperator::As,
                _ => break,
            };
            self.advance();
            rest.push((operator, self.type_specifier()?));
        }
        if rest.is_empty() { Ok(operand) } else { Ok(Node::Types { operand: Box::new(operand), rest }) }
    }

    /// A term with its signs and its steps.
    fn operand(&mut self) -> Parsed<Node> {
        let sign = match self.kind() {
            TokenKind::Symbol("+") => Sign::Plus,
            TokenKind::Symbol("-") => Sign::Minus,
            _ => return self.path(),
        };
        self.advance();
        // Nothing binds more tightly than a sign but the steps of a path.
        let operand = self.level(TIGHTEST + 1)?;
        Ok(Node::Polarity { sign, operand: Box::new(operand) })
    }

    fn path(&mut self) -> Parsed<Node> {
        let mut steps = Vec::new();
        let start = match self.kind() {
            TokenKind::Word("true" | "false") => Some(self.literal()?),
            TokenKind::Word(_) | TokenKind::Delimited(_) => {
                steps.push(self.invocation()?);
                None
            }
            TokenKind::Symbol("(") => {
                self.advance();
                let inner = self.expression()?;
                self.close(")")?;
                Some(inner)
            }
            TokenKind::Symbol("{") => {
                self.advance();
                self.close("}")?;
                Some(Node::Empty)
            }
            _ => Some(self.literal()?),
        };
        loop {
            if self.take_symbol(".") {
                steps.push(self.invocation()?);
            } else if self.take_symbol("[") {
                let index = self.expression()?;
                self.close("]")?;
                steps.push(Step::Index(index));
            } else {
                break;
            }
        }
        Ok(match start {
            Some(node) if steps.is_empty() => node,
            // Parentheses around a path change nothing: `(a.b).c` is `a.b.c`.
            Some(Node::Path { start, steps: mut inner }) => {
                inner.append(&mut steps);
                Node::Path { start, steps: inner }
            }
            start => Node::Path { start: start.map(Box::new), steps },
        })
    }

    fn close(&mut self, symbol: &'static str) -> Parsed<()> {
        if self.take_symbol(symbol) {
            return Ok(());
        }
        self.unexpected(match symbol {
            ")" => "')'",
            "]" => "']'",
            _ => "'}'",
        })
    }

    /// A literal, a variable, or one of the words with `$`.
    fn literal(&mut self) -> Parsed<Node> {
        let offset = self.offset();
        let node = match self.kind().clone() {
            TokenKind::Word(word) => Node::Literal(System::Boolean(word == "true")),
            TokenKind::String(text) | TokenKind::DoubleQuoted(text) => {
                Node::Literal(System::String(text.into()))
            }
            TokenKind::Number(digits) => return self.number(digits),
            TokenKind::Temporal(text) => Node::Literal(self.temporal(text, offset)?),
            TokenKind::Variable(name) => Node::Variable(name),
            TokenKind::Special("$this") => Node::This,
            TokenKind::Special("$index") => Node::Index,
            TokenKind::Special("$total") => Node::Total,
            _ => return self.unexpected("an expression"),
        };
        self.advance();
        Ok(node)
    }

    /// A number, or a quantity if a unit follows.
    fn number(&mut self, digits: &str) -> Parsed<Node> {
        let offset = self.offset();
        self.advance();
        let decimal =
            |text| parse_decimal(text).ok_or(ParseErrorKind::BadLiteral("this number has too many digits"));
        let unit = match self.kind() {
            TokenKind::String(unit) => Some(Unit::Ucum(unit.clone().into())),
            TokenKind::Word(word) => Unit::calendar(word),
            _ => None,
        };
        let literal = if let Some(unit) = unit {
            self.advance();
            decimal(digits).map(|value| System::Quantity(Box::new(Quantity { value, unit })))
        } else if digits.contains('.') {
            decimal(digits).map(System::Decimal)
        } else {
            digits.parse().map(System::Integer).or_else(|_| decimal(digits).map(System::Decimal))
        };
        match literal {
            Ok(literal) => Ok(Node::Literal(literal)),
            Err(kind) => self.fault(offset, kind),
        }
    }

    fn temporal(&self, text: &str, offset: usize) -> Parsed<System<'static>> {
        let literal = if let Some(time) = text.strip_prefix('T') {
            Time::parse(time).map(System::Time)
        } else if text.contains('T') {
            DateTime::parse(text).map(System::DateTime)
        } else {
            Date::parse(text).map(System::Date)
        };
        let why = "there is no such date or time";
        literal.ok_or_else(|| fault(self.text, offset, ParseErrorKind::BadLiteral(why)))
    }

    /// A member or a function call.
    fn invocation(&mut self) -> Parsed<Step> {
        let offset = self.offset();
        let (name, may_call) = match self.kind().clone() {
            TokenKind::Word(word) => (word.to_owned(), true),
            TokenKind::Delimited(name) | TokenKind::DoubleQuoted(name) => (name, false),
            _ => return self.unexpected("the name of an element or a function"),
        };
        self.advance();
        if !may_call || !self.is_symbol("(") {
            return Ok(Step::Member(name));
        }
        self.advance();
        let step = match name.as_str() {
            "is" => Step::Types(TypeOperator::Is, self.type_specifier()?),
            "as" => Step::Types(TypeOperator::As, self.type_specifier()?),
            "ofType" => Step::Types(TypeOperator::OfType, self.type_specifier()?),
            _ => return self.call(&name, offset),
        };
        self.close(")")?;
        Ok(step)
    }

    /// The arguments of a function; the opening parenthesis has been read.
    fn call(&mut self, name: &str, offset: usize) -> Parsed<Step> {
        let Some(function) = Function::named(name) else {
            let name = name.chars().take(64).collect();
            return self.fault(offset, ParseErrorKind::UnknownFunction(name));
        };
        let mut arguments = Vec::new();
        if !self.is_symbol(")") {
            loop {
                arguments.push(self.expression()?);
                if !self.take_symbol(",") {
                    break;
                }
            }
        }
        self.close(")")?;
        let (min, max) = function.arity();
        let found = arguments.len();
        if found < min || found > max {
            let kind = ParseErrorKind::ArgumentCount { function: function.name(), min, max, found };
            return self.fault(offset, kind);
        }
        let pattern = literal_pattern(function, &arguments)
            .map_err(|why| fault(self.text, offset, ParseErrorKind::BadPattern(why)))?;
        self.patterns += usize::from(pattern.is_some());
        if self.patterns > PATTERNS_MAX {
            return self.fault(offset, ParseErrorKind::TooManyPatterns { patterns_max: PATTERNS_MAX });
        }
        Ok(Step::Call(Call { function, arguments, pattern }))
    }

    fn type_specifier(&mut self) -> Parsed<TypeSpecifier> {
        let first = self.type_name()?;
        if self.is_symbol(".") && matches!(self.kind_after(), TokenKind::Word(_) | TokenKind::Delimited(_)) {
            // `x as T.y` is no type in a namespace unless `T` is one of the two that exist.
            if matches!(first.as_str(), "FHIR" | "System") {
                self.advance();
                return Ok(TypeSpecifier { namespace: Some(first), name: self.type_name()? });
            }
        }
        Ok(TypeSpecifier { namespace: None, name: first })
    }

    fn type_name(&mut self) -> Parsed<String> {
        let name = match self.kind() {
            TokenKind::Word(word) => (*word).to_owned(),
            TokenKind::Delimited(name) => name.clone(),
            _ => return self.unexpected("the name of a type"),
        };
        self.advance();
        Ok(name)
    }
}

/// The compiled pattern of a matching function whose pattern is a literal.
fn literal_pattern(function: Function, arguments: &[Node]) -> Result<Option<Pattern>, String> {
    let Some(Node::Literal(System::String(pattern))) = arguments.first() else { return Ok(None) };
    match function {
        Function::Matches | Function::ReplaceMatches => compile_pattern(pattern).map(Some),
        Function::MatchesFull => compile_pattern(&anchored(pattern)).map(Some),
        _ => Ok(None),
    }
}
