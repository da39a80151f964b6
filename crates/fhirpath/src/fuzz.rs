//! The property that fuzzing and the property tests share.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits as JsonLimits, parse};

use crate::environment::{Dialect, Environment, Limits};
use crate::expression::Expression;
use crate::item::Item;

/// What [`check_parse`] found in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The text is no expression.
    Refused,
    /// It is one; printing, checking and evaluating it did what they should.
    Sound,
}

/// What [`check_parse`] found to be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The place of a refusal lies outside of the text, or the refusal has no words.
    BadRefusal,
    /// What was printed is no expression, or another one.
    PrintDiffers(String),
    /// Evaluating it twice gives two results.
    NotDeterministic(String),
}

/// Steps of one evaluation here, so that every input ends soon.
const STEPS_MAX: u64 = 20_000;
const RESOURCE: &[u8] = br##"{"resourceType":"Patient","id":"a","active":true,"name":[{"family":"F","given":["G","H"]}],
    "birthDate":"1974-12-25","_gender":{"id":"x"},"extension":[{"url":"u","valueQuantity":{"value":1.5,"code":"mg"}}],
    "contained":[{"resourceType":"Group","id":"b"}],"managingOrganization":{"reference":"#b"}}"##;

/// For any text: parsing does not panic; what is parsed prints as the same expression, and can be checked and
/// evaluated without a panic, with the same result each time. Called by the fuzz target `fhirpath` and by the property
/// tests; not meant for other code.
pub fn check_parse(text: &str) -> Result<Verdict, Fault> {
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) if error.offset > text.len() || error.kind.to_string().is_empty() => {
            return Err(Fault::BadRefusal);
        }
        Err(_) => return Ok(Verdict::Refused),
    };
    let printed = expression.to_string();
    if Expression::parse(&printed).as_ref() != Ok(&expression) {
        return Err(Fault::PrintDiffers(printed));
    }
    let Ok(tree) = parse(RESOURCE, &JsonLimits::default()) else { return Ok(Verdict::Sound) };
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        // Whatever it finds: it must end.
        let _ = definitions.type_named("Patient").map(|patient| expression.check(patient));
        for dialect in [Dialect::Standard, Dialect::Search] {
            let limits = Limits { steps_max: STEPS_MAX, ..Limits::default() };
            let environment = Environment::new(definitions).with_dialect(dialect).with_limits(limits);
            let run =
                || format!("{:?}", expression.evaluate(Item::resource(&tree, definitions), &environment));
            let (first, second) = (run(), run());
            if first != second {
                return Err(Fault::NotDeterministic(first));
            }
        }
    }
    Ok(Verdict::Sound)
}
