//! Scripts that score: a small part of Painless, read into an [`Expression`].
//!
//! Numbers, `_score`, `params.x`, `doc['f'].value` (`.size()`, `.empty`), `$('f', 0)`, `field('f').get(0)`, values with names (`double x = ..;`), `+ - * / %`, comparisons, `&& || !`, `? :`, `Math.*`, `saturation`,
//! `sigmoid`, and the functions of vectors `cosineSimilarity`, `dotProduct`, `l1norm`, `l2norm`. As in Painless, a quotient of whole numbers is
//! whole. Everything else is refused by name.

#![warn(clippy::indexing_slicing)]

mod tokens;

use std::collections::HashMap;

use serde_json::{Map, Value};

use self::tokens::{Token, Type, tokens};
use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::{DateReading, Kind, Rounding, kind_of, type_of};
use super::object;
use super::rank_feature::duration;
use crate::retrieve::query::script::{BinaryOperator, Expression, MathFunction, Script, VectorFunction, VectorMeasure};

/// Deeper expressions are refused: each level is a level of the stack.
const MAX_DEPTH: usize = 60;
/// Names that stand for more parts of expressions are refused.
const MAX_PARTS: usize = 10_000;
/// Longer scripts are refused, as in Elasticsearch (`script.max_size_in_bytes`).
const MAX_LENGTH: usize = 65_535;

/// Reads a `script`: its source alone, or an object with `source`, `params` and `lang`.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds of JSON are treated alike")]
pub(super) fn script(value: &Value, context: &QueryContext<'_>) -> EsResult<Script> {
    let no_params = Map::new();
    let (mut source, mut params) = (None, &no_params);
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match key.as_str() {
                    "source" | "inline" => source = Some(object::text("script", key, value)?),
                    "params" => params = object::members("script", value)?,
                    "lang" => match object::text("script", key, value)?.as_str() {
                        "painless" | "expression" => {}
                        other => {
                            return Err(EsError::illegal_argument(format!("script_lang not supported [{other}]")));
                        }
                    },
                    "id" => return Err(EsError::unsupported("a stored script ([id])")),
                    "options" => return Err(EsError::unsupported("[options] of a script")),
                    _ => return Err(EsError::parsing(format!("[script] unknown field [{key}]"))),
                }
            }
        }
        other => source = object::plain(other),
    }
    let source = source.ok_or_else(|| {
        EsError::illegal_argument("must specify either [source] for an inline script or [id] for a stored script")
    })?;
    if source.len() > MAX_LENGTH {
        return Err(EsError::illegal_argument(format!(
            "exceeded max allowed inline script size in bytes [{MAX_LENGTH}]"
        )));
    }
    let tokens = tokens(&source)?;
    let mut parser =
        Parser { tokens: &tokens, at: 0, params, context, depth: 0, variables: HashMap::new(), num_parts: 0 };
    parser.declarations()?;
    parser.take("return");
    let (expression, _) = parser.choice()?;
    parser.take(";");
    if let Some(rest) = parser.peek() {
        return Err(refuse(format!("unexpected [{}]", rest.text())));
    }
    Ok(Script { source, expression })
}

fn refuse(what: impl std::fmt::Display) -> EsError {
    EsError::new(400, "script_exception", "compile error").caused_by(EsError::illegal_argument(format!(
        "{what}: Bifocal knows only expressions of numbers, params, _score, doc values, Math and vector functions"
    )))
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    params: &'a Map<String, Value>,
    context: &'a QueryContext<'a>,
    depth: usize,
    /// Values with names.
    variables: HashMap<String, Typed>,
    /// Of the expressions that names stood for.
    num_parts: usize,
}

type Typed = (Expression, Type);

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> EsResult<Token> {
        let token = self.peek().cloned().ok_or_else(|| refuse("unexpected end of script"))?;
        self.at += 1;
        Ok(token)
    }

    /// Takes a sign or word if it comes next.
    fn take(&mut self, wanted: &str) -> bool {
        let found = match self.peek() {
            Some(Token::Sign(sign)) => *sign == wanted,
            Some(Token::Word(word)) => word == wanted,
            Some(Token::Number(..) | Token::Text(_)) | None => false,
        };
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> EsResult<()> {
        if self.take(wanted) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "the end".to_string(), Token::text);
        Err(refuse(format!("expected [{wanted}], found [{found}]")))
    }

    fn deeper(&mut self) -> EsResult<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(refuse("the script is nested too deeply")) } else { Ok(()) }
    }

    fn choice(&mut self) -> EsResult<Typed> {
        self.deeper()?;
        let (condition, kind) = self.level(0)?;
        let whole = if self.take("?") {
            let (yes, yes_kind) = self.choice()?;
            self.expect(":")?;
            let (no, no_kind) = self.choice()?;
            let kind = if yes_kind == no_kind { yes_kind } else { Type::Fraction };
            (Expression::Choice(Box::new(condition), Box::new(yes), Box::new(no)), kind)
        } else {
            (condition, kind)
        };
        self.depth -= 1;
        Ok(whole)
    }

    /// Operators from weak to strong.
    fn level(&mut self, level: usize) -> EsResult<Typed> {
        use BinaryOperator::{
            Add, And, Divide, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Multiply, NotEqual, Or, Remainder,
            Subtract,
        };
        let operators: &[(&str, BinaryOperator)] = match level {
            0 => &[("||", Or)],
            1 => &[("&&", And)],
            2 => &[("===", Equal), ("==", Equal), ("!==", NotEqual), ("!=", NotEqual)],
            3 => &[("<=", LessOrEqual), (">=", GreaterOrEqual), ("<", Less), (">", Greater)],
            4 => &[("+", Add), ("-", Subtract)],
            5 => &[("*", Multiply), ("/", Divide), ("%", Remainder)],
            _ => return self.unary(),
        };
        let (mut left, mut kind) = self.level(level + 1)?;
        let mut num_operators = 0;
        while let Some(&(_, operator)) = operators.iter().find(|(sign, _)| self.take(sign)) {
            num_operators += 1;
            if num_operators > 500 {
                return Err(refuse("the script is too long"));
            }
            let (right, right_kind) = self.level(level + 1)?;
            let is_whole = kind == Type::Whole && right_kind == Type::Whole;
            let operator = if operator == Divide && is_whole { BinaryOperator::DivideWhole } else { operator };
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
            kind = if is_whole || level < 4 { Type::Whole } else { Type::Fraction };
        }
        Ok((left, kind))
    }

    fn unary(&mut self) -> EsResult<Typed> {
        self.deeper()?;
        let typed = if self.take("-") {
            let (inner, kind) = self.unary()?;
            (Expression::Negate(Box::new(inner)), kind)
        } else if self.take("+") {
            self.unary()?
        } else if self.take("!") {
            (Expression::Not(Box::new(self.unary()?.0)), Type::Whole)
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(typed)
    }

    fn primary(&mut self) -> EsResult<Typed> {
        match self.next()? {
            Token::Number(number, kind) => Ok((Expression::Number(number), kind)),
            Token::Sign("(") => {
                if let (Some(Token::Word(word)), Some(Token::Sign(")"))) = (self.peek(), self.tokens.get(self.at + 1))
                    && let "double" | "float" | "int" | "long" = word.as_str()
                {
                    let is_whole = matches!(word.as_str(), "int" | "long");
                    self.at += 2;
                    let (inner, _) = self.unary()?;
                    return Ok(if is_whole {
                        let one = Expression::Number(1.0);
                        (Expression::Binary(BinaryOperator::DivideWhole, Box::new(inner), Box::new(one)), Type::Whole)
                    } else {
                        (inner, Type::Fraction)
                    });
                }
                let inner = self.choice()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Word(word) => self.named(&word),
            Token::Text(text) => Err(refuse(format!("unexpected text ['{text}']"))),
            Token::Sign(sign) => Err(refuse(format!("unexpected [{sign}]"))),
        }
    }

    fn named(&mut self, word: &str) -> EsResult<Typed> {
        match word {
            "_score" => Ok((Expression::Score, Type::Fraction)),
            "true" => Ok((Expression::Number(1.0), Type::Whole)),
            "false" => Ok((Expression::Number(0.0), Type::Whole)),
            "params" => {
                let name = self.member()?;
                match self.params.get(&name) {
                    Some(Value::Number(number)) => {
                        let kind = if number.is_f64() { Type::Fraction } else { Type::Whole };
                        Ok((Expression::Number(number.as_f64().unwrap_or(0.0)), kind))
                    }
                    Some(Value::Bool(truth)) => Ok((Expression::Number(f64::from(u8::from(*truth))), Type::Whole)),
                    Some(_) => Err(refuse(format!("[params.{name}] is no number"))),
                    None => Err(refuse(format!("[params.{name}] is not given"))),
                }
            }
            "doc" => self.doc_value(),
            "$" => {
                self.expect("(")?;
                let field = self.text()?;
                self.expect(",")?;
                self.value_or_default(&field)
            }
            "field" => {
                self.expect("(")?;
                let field = self.text()?;
                self.expect(")")?;
                self.expect(".")?;
                if self.take("get") {
                    self.expect("(")?;
                    return self.value_or_default(&field);
                }
                self.counted(field)
            }
            "Math" => {
                self.expect(".")?;
                let Token::Word(function) = self.next()? else { return Err(refuse("[Math.] without a function")) };
                match function.as_str() {
                    "PI" => return Ok((Expression::Number(std::f64::consts::PI), Type::Fraction)),
                    "E" => return Ok((Expression::Number(std::f64::consts::E), Type::Fraction)),
                    _ => {}
                }
                let Some((call, arity)) = math_function(&function) else {
                    return Err(refuse(format!("unknown function [Math.{function}]")));
                };
                self.call(&format!("Math.{function}"), call, arity)
            }
            "saturation" => self.call(word, MathFunction::Saturation, 2),
            "sigmoid" => self.call(word, MathFunction::Sigmoid, 3),
            "cosineSimilarity" => self.vector(word, VectorMeasure::CosineSimilarity),
            "dotProduct" => self.vector(word, VectorMeasure::DotProduct),
            "l1norm" => self.vector(word, VectorMeasure::L1Norm),
            "l2norm" => self.vector(word, VectorMeasure::L2Norm),
            "decayNumericLinear" => self.call(word, MathFunction::DecayLinear, 5),
            "decayNumericExp" => self.call(word, MathFunction::DecayExp, 5),
            "decayNumericGauss" => self.call(word, MathFunction::DecayGauss, 5),
            "decayDateLinear" => self.date_decay(MathFunction::DecayLinear),
            "decayDateExp" => self.date_decay(MathFunction::DecayExp),
            "decayDateGauss" => self.date_decay(MathFunction::DecayGauss),
            other => self.variable(other),
        }
    }

    /// `double x = ..;`, any number of them: each name stands for its expression from there on.
    fn declarations(&mut self) -> EsResult<()> {
        while let (Some(Token::Word(kind)), Some(Token::Word(name)), Some(Token::Sign("="))) =
            (self.tokens.get(self.at), self.tokens.get(self.at + 1), self.tokens.get(self.at + 2))
        {
            let declared = match kind.as_str() {
                "double" | "float" => Some(Type::Fraction),
                "int" | "long" | "boolean" => Some(Type::Whole),
                "def" => None,
                other => return Err(refuse(format!("unknown type [{other}]"))),
            };
            self.at += 3;
            let (expression, found) = self.choice()?;
            if declared == Some(Type::Whole) && found == Type::Fraction {
                return Err(refuse(format!("[{name}] is whole, and its value is not")));
            }
            self.expect(";")?;
            self.variables.insert(name.clone(), (expression, declared.unwrap_or(found)));
        }
        Ok(())
    }

    /// `(origin, scale, offset, decay, doc['field'].value)` with a date and two durations as texts.
    fn date_decay(&mut self, function: MathFunction) -> EsResult<Typed> {
        self.expect("(")?;
        let (origin, scale, offset) = (self.text_or_param()?, self.text_or_param()?, self.text_or_param()?);
        let (decay, _) = self.choice()?;
        self.expect(",")?;
        let (value, _) = self.choice()?;
        self.expect(")")?;
        let Expression::Value(field) = &value else {
            return Err(refuse("the last value of a decay of dates must be doc['field'].value"));
        };
        let Some(found) = self.context.find(field).filter(|found| kind_of(found) == Kind::Date) else {
            return Err(refuse(format!("[{field}] is no date")));
        };
        let origin = self.context.date(&found, &origin, &DateReading::default(), Rounding::Down)?;
        let number = |millis: i64| Expression::Number(millis as f64);
        let (scale, offset) = (number(duration("scale", &scale)?), number(duration("offset", &offset)?));
        Ok((Expression::Call(function, vec![number(origin), scale, offset, decay, value]), Type::Fraction))
    }

    /// A text, as it stands or as a parameter, and the comma after it.
    fn text_or_param(&mut self) -> EsResult<String> {
        let text = if self.take("params") {
            let name = self.member()?;
            let found = self.params.get(&name).and_then(object::plain);
            found.ok_or_else(|| refuse(format!("[params.{name}] is no text")))?
        } else {
            self.text()?
        };
        self.expect(",")?;
        Ok(text)
    }

    fn variable(&mut self, name: &str) -> EsResult<Typed> {
        let Some((expression, kind)) = self.variables.get(name) else {
            return Err(refuse(format!("unknown name [{name}]")));
        };
        // Names of names could otherwise stand for more than memory holds.
        self.num_parts += num_parts(expression);
        if self.num_parts > MAX_PARTS {
            return Err(refuse(format!("names that stand for more than {MAX_PARTS} parts")));
        }
        Ok((expression.clone(), *kind))
    }

    fn text(&mut self) -> EsResult<String> {
        match self.next()? {
            Token::Text(text) => Ok(text),
            Token::Word(_) | Token::Sign(_) | Token::Number(..) => Err(refuse("a field without its name in quotes")),
        }
    }

    /// The rest of `$('f', 0)`: the field's first value, else what follows.
    fn value_or_default(&mut self, field: &str) -> EsResult<Typed> {
        let kind = self.number_kind(field)?;
        let (default, default_kind) = self.choice()?;
        self.expect(")")?;
        let (count, value) = (Expression::Count(field.to_string()), Expression::Value(field.to_string()));
        let is_whole = kind == Type::Whole && default_kind == Type::Whole;
        let kind = if is_whole { Type::Whole } else { Type::Fraction };
        Ok((Expression::Choice(Box::new(count), Box::new(value), Box::new(default)), kind))
    }

    /// What is read of a field's values: whole or not.
    fn number_kind(&self, field: &str) -> EsResult<Type> {
        match self.context.find(field).as_deref().map(|found| (found, kind_of(found))) {
            None => Err(refuse(format!("No field found for [{field}] in mapping"))),
            Some((found, kind)) if !kind.is_number() => {
                Err(refuse(format!("doc['{field}'], a field of type [{}]", type_of(found))))
            }
            Some((_, Kind::Fraction)) => Ok(Type::Fraction),
            Some(_) => Ok(Type::Whole),
        }
    }

    /// `size()`, `length`, `empty` or `isEmpty()` of a field.
    fn counted(&mut self, field: String) -> EsResult<Typed> {
        let Token::Word(what) = self.next()? else { return Err(refuse(format!("doc['{field}']. without a name"))) };
        if matches!(what.as_str(), "size" | "isEmpty") {
            self.expect("(")?;
            self.expect(")")?;
        }
        let is_vector = self.context.find(&field).is_some_and(|found| kind_of(&found) == Kind::Vector);
        let of_vector =
            |measure| Expression::Vector(VectorFunction { measure, field: field.clone(), vector: Vec::new() });
        let count = if is_vector { of_vector(VectorMeasure::Count) } else { Expression::Count(field.clone()) };
        match what.as_str() {
            "size" | "length" => Ok((count, Type::Whole)),
            "empty" | "isEmpty" => Ok((Expression::Not(Box::new(count)), Type::Whole)),
            "magnitude" if is_vector => Ok((of_vector(VectorMeasure::Magnitude), Type::Fraction)),
            other => Err(refuse(format!("doc['{field}'].{other}"))),
        }
    }

    /// `.name` or `['name']`.
    fn member(&mut self) -> EsResult<String> {
        if self.take(".") {
            let Token::Word(name) = self.next()? else { return Err(refuse("[.] without a name")) };
            return Ok(name);
        }
        self.expect("[")?;
        let Token::Text(name) = self.next()? else { return Err(refuse("[ without a name in quotes")) };
        self.expect("]")?;
        Ok(name)
    }

    fn doc_value(&mut self) -> EsResult<Typed> {
        let field = self.member()?;
        self.expect(".")?;
        if self.context.find(&field).is_some_and(|found| kind_of(&found) == Kind::Vector) {
            return self.counted(field);
        }
        let kind = self.number_kind(&field)?;
        if !self.take("value") {
            return self.counted(field);
        }
        let is_date = self.context.find(&field).is_some_and(|found| kind_of(&found) == Kind::Date);
        if self.take(".") && !(is_date && self.take("millis")) {
            return Err(refuse(format!("a method of doc['{field}'].value")));
        }
        Ok((Expression::Value(field), kind))
    }

    fn call(&mut self, name: &str, function: MathFunction, arity: usize) -> EsResult<Typed> {
        self.expect("(")?;
        let (mut arguments, mut all_whole) = (Vec::new(), true);
        while !self.take(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            let (argument, kind) = self.choice()?;
            all_whole &= kind == Type::Whole;
            arguments.push(argument);
        }
        if arguments.len() != arity {
            return Err(refuse(format!("[{name}] takes {arity} values, not {}", arguments.len())));
        }
        let keeps_type = matches!(function, MathFunction::Abs | MathFunction::Max | MathFunction::Min);
        let is_whole = function == MathFunction::Round || (keeps_type && all_whole);
        let kind = if is_whole { Type::Whole } else { Type::Fraction };
        Ok((Expression::Call(function, arguments), kind))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "every other token is refused")]
    fn vector(&mut self, name: &str, measure: VectorMeasure) -> EsResult<Typed> {
        self.expect("(")?;
        if !self.take("params") {
            return Err(refuse(format!("the first value of [{name}] must be a parameter (params.x)")));
        }
        let param = self.member()?;
        self.expect(",")?;
        let field = match self.next()? {
            Token::Text(field) => field,
            Token::Word(word) if word == "doc" => self.member()?,
            other => return Err(refuse(format!("unexpected [{}] in [{name}]", other.text()))),
        };
        self.expect(")")?;
        let Some(Value::Array(values)) = self.params.get(&param) else {
            return Err(refuse(format!("[params.{param}] is no array of numbers")));
        };
        let number = |value: &Value| object::float("script", &param, value);
        let vector = values.iter().map(number).collect::<EsResult<Vec<_>>>()?;
        Ok((Expression::Vector(VectorFunction { measure, field, vector }), Type::Fraction))
    }
}

fn num_parts(expression: &Expression) -> usize {
    1 + expression.parts().into_iter().map(num_parts).sum::<usize>()
}

fn math_function(name: &str) -> Option<(MathFunction, usize)> {
    Some(match name {
        "abs" => (MathFunction::Abs, 1),
        "ceil" => (MathFunction::Ceil, 1),
        "cos" => (MathFunction::Cos, 1),
        "exp" => (MathFunction::Exp, 1),
        "floor" => (MathFunction::Floor, 1),
        "log" => (MathFunction::Log, 1),
        "log10" => (MathFunction::Log10, 1),
        "max" => (MathFunction::Max, 2),
        "min" => (MathFunction::Min, 2),
        "pow" => (MathFunction::Pow, 2),
        "round" => (MathFunction::Round, 1),
        "sin" => (MathFunction::Sin, 1),
        "sqrt" => (MathFunction::Sqrt, 1),
        "tanh" => (MathFunction::Tanh, 1),
        _ => return None,
    })
}
