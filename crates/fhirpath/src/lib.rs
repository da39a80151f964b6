#![doc = include_str!("../README.md")]

mod budget;
mod check;
mod environment;
mod equality;
mod error;
mod evaluate;
mod expression;
mod functions;
mod fuzz;
mod item;
mod lexer;
mod location;
mod navigate;
mod parser;
mod printer;
mod quantity;
mod syntax;
mod system;
mod temporal;
mod units;

pub use environment::{Dialect, Environment, Host, Limits, NoHost};
pub use error::{CheckError, EvalError, ParseError, ParseErrorKind};
pub use expression::Expression;
#[doc(hidden)]
pub use fuzz::{Fault, Verdict, check_parse};
pub use item::{Collection, Element, Item, TypeInfo};
pub use location::{Location, LocationStep};
pub use quantity::Quantity;
pub use system::{System, SystemType};
pub use temporal::{Date, DateTime, Time};
