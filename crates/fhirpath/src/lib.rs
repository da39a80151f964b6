#![doc = include_str!("../README.md")]

mod budget;
mod environment;
mod equality;
mod error;
mod evaluate;
mod expression;
mod functions;
mod item;
mod lexer;
mod navigate;
mod parser;
mod printer;
mod quantity;
mod syntax;
mod system;
mod temporal;
mod units;

pub use environment::{Dialect, Environment, Host, Limits, NoHost};
pub use error::{EvalError, ParseError, ParseErrorKind};
pub use expression::Expression;
pub use item::{Collection, Element, Item, TypeInfo};
pub use quantity::Quantity;
pub use system::{System, SystemType};
pub use temporal::{Date, DateTime, Time};
