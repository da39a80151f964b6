//! The parameters of searches, and those that name one pointer for a change. What is not listed is
//! refused: a criterion passed over would widen what is shown or changed.

use super::rows;
use super::terminology::Terminology;
use super::urls;
use crate::spine::Directory;
use crate::spine::identifiers::ORGANIZATION_URL;
use crate::{Failure, Interaction};

/// Decoded names and values, as they stood in the URL.
type Parameters = Vec<(String, String)>;

/// A search that the register answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// By id, alone: what a read would give.
    Id(String),
    /// The current pointers of a patient that meet the criteria, given as FHIR has them.
    Patient {
        /// Whose.
        nhs_number: String,
        /// With the subject.
        criteria: Parameters,
    },
}

/// Reads the parameters of a search.
pub(super) fn search(parameters: &[(String, String)], directory: &Directory) -> Result<Search, Failure> {
    if let Some((_, id)) = parameters.iter().find(|(name, _)| name == "_id") {
        if parameters.len() > 1 {
            return Err(rows::parameter("The parameter _id stands alone; only _format may accompany it"));
        }
        return one_id(id).map(Search::Id);
    }
    let mut nhs_number = None;
    let mut criteria = Vec::with_capacity(parameters.len() + 1);
    for (name, value) in parameters {
        let (name, value) = match name.as_str() {
            "subject" => {
                let number = urls::patient(value)?.to_owned();
                if nhs_number.replace(number).is_some() {
                    return Err(rows::parameter("The parameter subject is given more than once"));
                }
                ("subject", value.clone())
            }
            "custodian" => ("custodian", known_organisation(urls::organisation(value)?, directory)?),
            "custodian.identifier" => ("custodian", custodian_by_identifier(value, directory)?),
            "type" | "type.coding" => ("type", record_type(value)?),
            _ => {
                return Err(unsupported(name, value));
            }
        };
        criteria.push((name.to_owned(), value));
    }
    let nhs_number = nhs_number.ok_or_else(|| rows::parameter("Invalid parameter: subject"))?;
    criteria.push(("status".to_owned(), "current".to_owned()));
    Ok(Search::Patient { nhs_number, criteria })
}

/// Checks what shapes an answer: its format, and for a search of a patient that it is only a
/// count. A pointer that is named by its id takes nothing else.
pub(super) fn check_query(interaction: Interaction, parameters: &[(String, String)]) -> Result<(), Failure> {
    let has = |name: &str| parameters.iter().any(|(known, _)| known == name);
    for (name, value) in parameters {
        match (name.as_str(), interaction) {
            ("_format", _) => check_format(value)?,
            ("_pretty", _) | (_, Interaction::Capabilities) => {}
            ("_summary", Interaction::SearchType) if value == "count" && has("subject") => {
                let others = ["subject", "_summary", "_format", "_pretty"];
                if parameters.iter().any(|(name, _)| !others.contains(&name.as_str())) {
                    return Err(rows::parameter(
                        "The parameter _summary=count goes with subject; only _format may accompany them",
                    ));
                }
            }
            // What else shapes an answer could show more than the current pointers of one patient.
            (name, Interaction::SearchType) if name.starts_with('_') && !SHAPES.contains(&name) => {
                return Err(unsupported(name, value));
            }
            ("_summary" | "_elements", _)
            | (_, Interaction::Read | Interaction::Create | Interaction::Patch | Interaction::Delete) => {
                return Err(unsupported(name, value));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The parameters of a search that begin with an underscore, besides those that shape every answer: the id, and the
/// pages of the first drafts with the place at which a link goes on.
const SHAPES: [&str; 3] = ["_id", "_count", "_cursor"];

fn unsupported(name: &str, value: &str) -> Failure {
    let sent = urls::shortened(&format!("{name}={value}"));
    rows::parameter(format!("Unsupported search parameter - {sent}"))
}

/// Whether `_format` is one of the media types that the API lists. A plus that was not encoded
/// arrives as a blank.
fn check_format(format: &str) -> Result<(), Failure> {
    const LISTED: [&str; 7] = [
        "application/fhir+json",
        "application/json+fhir",
        "application/json",
        "text/json",
        "application/fhir+xml",
        "application/xml+fhir",
        "application/xml",
    ];
    let essence = format.split(';').next().unwrap_or_default().trim().replace(' ', "+");
    if LISTED.contains(&essence.to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    let sent = urls::shortened(format);
    Err(rows::parameter(format!("The parameter _format is one of {}, not {sent}", LISTED.join(", "))))
}

/// One id; a list of several, or none at all, would mean other pointers.
fn one_id(id: &str) -> Result<String, Failure> {
    match fhir_model::Id::check(id) {
        Ok(()) => Ok(id.to_owned()),
        Err(_) if id.is_empty() => Err(rows::parameter("Invalid parameter: id")),
        Err(_) => Err(rows::no_pointer(&urls::shortened(id))),
    }
}

/// The URL of an organisation that someone has.
fn known_organisation(code: &str, directory: &Directory) -> Result<String, Failure> {
    if directory.knows_organization(code) {
        return Ok(format!("{ORGANIZATION_URL}{code}"));
    }
    let sentence = "The ODS code in the custodian and/or author element is not resolvable - ";
    Err(crate::Breach::failure(rows::ORGANISATION, format!("{sentence}{}", urls::shortened(code))))
}

/// The form of earlier versions: `[system]|[code]`.
fn custodian_by_identifier(value: &str, directory: &Directory) -> Result<String, Failure> {
    const SYSTEM: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
    let form = || rows::parameter(format!("The custodian.identifier is of the form {SYSTEM}|[odsCode]"));
    let code = value.split_once('|').filter(|(system, code)| *system == SYSTEM && !code.is_empty());
    known_organisation(code.ok_or_else(form)?.1, directory)
}

fn record_type(value: &str) -> Result<String, Failure> {
    let known =
        value.split_once('|').filter(|(system, code)| Terminology::get().is_record_type(system, code));
    if known.is_some() {
        return Ok(value.to_owned());
    }
    let sent = urls::shortened(value);
    Err(rows::parameter(format!("The type is [system]|[code] of a supported record type, not {sent}")))
}

/// One pointer that is to be changed, named without its id or, for a deletion, by a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Id(String),
    MasterIdentifier { nhs_number: String, system: String, value: String },
}

/// Reads the criteria of a change: subject and identifier, or where `by_id` the id alone.
pub(super) fn named(parameters: &[(String, String)], by_id: bool) -> Result<Named, Failure> {
    let missing = |name: &str| rows::parameter(format!("Invalid parameter: {name}"));
    let (mut subject, mut identifier, mut id) = (None, None, None);
    for (name, value) in parameters {
        let slot = match name.as_str() {
            "subject" => &mut subject,
            "identifier" => &mut identifier,
            "_id" if by_id => &mut id,
            _ => {
                return Err(unsupported(name, value));
            }
        };
        if slot.replace(value).is_some() {
            return Err(rows::parameter(format!("The parameter {name} is given more than once")));
        }
    }
    match (id, subject, identifier) {
        (Some(id), None, None) => one_id(id).map(Named::Id),
        (Some(_), ..) => {
            Err(rows::parameter("The parameter _id stands alone; only _format may accompany it"))
        }
        (None, None, None) => Err(missing("id")),
        (None, None, Some(_)) => Err(missing("subject")),
        (None, Some(_), None) => Err(missing("identifier")),
        (None, Some(subject), Some(identifier)) => {
            let nhs_number = urls::patient(subject)?.to_owned();
            let (system, value) = urls::token(identifier)?;
            let (system, value) = (system.to_owned(), value.to_owned());
            Ok(Named::MasterIdentifier { nhs_number, system, value })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: &str = "https://demographics.spineservices.nhs.uk/STU3/Patient/9876543210";
    const TYPE: &str = "http://snomed.info/sct|736253002";
    const CUSTODIAN: &str = "https://directory.spineservices.nhs.uk/STU3/Organization/RR8";
    const OLD_CUSTODIAN: &str = "https://fhir.nhs.uk/Id/ods-organization-code|RR8";

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn pairs(text: Pairs<'_>) -> Parameters {
        text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn code(failure: &Failure) -> &'static str {
        let Failure::Rule(breach) = failure else { panic!("{failure:?}") };
        breach.rule.coding.code
    }

    #[test]
    fn a_search_is_by_id_or_by_patient() {
        let directory = Directory::demo();
        assert_eq!(search(&pairs(&[("_id", "x")]), &directory), Ok(Search::Id("x".into())));
        for (id, expected) in
            [("", "INVALID_PARAMETER"), ("x,y", "NO_RECORD_FOUND"), ("x|", "NO_RECORD_FOUND")]
        {
            let sent = pairs(&[("_id", id)]);
            assert_eq!(code(&search(&sent, &directory).expect_err(id)), expected);
            assert_eq!(code(&named(&sent, true).expect_err(id)), expected);
        }
        let rows: [(Pairs<'_>, Pairs<'_>); 4] = [
            (&[("subject", SUBJECT)], &[("subject", SUBJECT), ("status", "current")]),
            (
                &[("type.coding", TYPE), ("subject", SUBJECT)],
                &[("type", TYPE), ("subject", SUBJECT), ("status", "current")],
            ),
            (
                &[("subject", SUBJECT), ("custodian", CUSTODIAN), ("type", TYPE)],
                &[("subject", SUBJECT), ("custodian", CUSTODIAN), ("type", TYPE), ("status", "current")],
            ),
            (
                &[("subject", SUBJECT), ("custodian.identifier", OLD_CUSTODIAN)],
                &[("subject", SUBJECT), ("custodian", CUSTODIAN), ("status", "current")],
            ),
        ];
        for (sent, criteria) in rows {
            let expected = Search::Patient { nhs_number: "9876543210".into(), criteria: pairs(criteria) };
            assert_eq!(search(&pairs(sent), &directory), Ok(expected));
        }
    }

    #[test]
    fn other_searches_are_refused() {
        let directory = Directory::demo();
        let rows: [(Pairs<'_>, &str); 12] = [
            (&[], "INVALID_PARAMETER"),
            (&[("type", TYPE)], "INVALID_PARAMETER"),
            (&[("subject", "9876543210")], "INVALID_PARAMETER"),
            (&[("subject", "https://demographics.spineservices.nhs.uk/STU3/Patient/")], "INVALID_PARAMETER"),
            (
                &[("subject", "https://demographics.spineservices.nhs.uk/STU3/Patient/1")],
                "INVALID_NHS_NUMBER",
            ),
            (&[("subject", SUBJECT), ("subject", SUBJECT)], "INVALID_PARAMETER"),
            (&[("subject", SUBJECT), ("_id", "x")], "INVALID_PARAMETER"),
            (&[("subject", SUBJECT), ("custodian", "RR8")], "INVALID_PARAMETER"),
            (&[("subject", SUBJECT), ("custodian.identifier", "RR8")], "INVALID_PARAMETER"),
            (&[("subject", SUBJECT), ("type", "736253002")], "INVALID_PARAMETER"),
            (&[("subject", SUBJECT), ("type", "http://snomed.info/sct|1")], "INVALID_PARAMETER"),
            (&[("subject", SUBJECT), ("author", CUSTODIAN)], "INVALID_PARAMETER"),
        ];
        for (sent, expected) in rows {
            let failure = search(&pairs(sent), &directory).expect_err("refused");
            assert_eq!(code(&failure), expected, "{sent:?}");
        }
        let unknown = pairs(&[("subject", SUBJECT), ("custodian", &format!("{ORGANIZATION_URL}ZZZ"))]);
        assert_eq!(code(&search(&unknown, &directory).expect_err("refused")), "ORGANISATION_NOT_FOUND");
    }

    #[test]
    fn a_change_names_one_pointer() {
        let identifier = "urn:ietf:rfc:3986|urn:oid:1";
        let by_identifier = Named::MasterIdentifier {
            nhs_number: "9876543210".into(),
            system: "urn:ietf:rfc:3986".into(),
            value: "urn:oid:1".into(),
        };
        let both = pairs(&[("subject", SUBJECT), ("identifier", identifier)]);
        assert_eq!(named(&both, false), Ok(by_identifier.clone()));
        assert_eq!(named(&both, true), Ok(by_identifier));
        let id = pairs(&[("_id", "x")]);
        assert_eq!(named(&id, true), Ok(Named::Id("x".into())));
        for (sent, by_id, sentence) in [
            (id, false, "Unsupported search parameter - _id=x"),
            (vec![], true, "Invalid parameter: id"),
            (pairs(&[("subject", SUBJECT)]), true, "Invalid parameter: identifier"),
            (pairs(&[("identifier", identifier)]), false, "Invalid parameter: subject"),
            (
                pairs(&[("subject", SUBJECT), ("identifier", "urn:oid:1")]),
                false,
                "The given parameter identifier does not confirm to the expected format - [system]|[value]",
            ),
            (
                pairs(&[("subject", SUBJECT), ("subject", SUBJECT)]),
                false,
                "The parameter subject is given more than once",
            ),
        ] {
            assert_eq!(named(&sent, by_id).map_err(|failure| failure.to_string()), Err(sentence.to_owned()));
        }
    }
}
