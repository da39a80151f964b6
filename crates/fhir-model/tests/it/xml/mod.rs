//! The XML codec: on resources generated from the definitions, on bytes of every sort, on the published examples.

mod canonical;
mod examples;
mod generate;
mod hostile;
mod properties;
