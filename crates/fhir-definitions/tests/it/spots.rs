//! Places that are easy to get wrong, looked up one by one.

use fhir_definitions::{
    Definitions, ElementDef, FhirVersion, JsonShape, Primitive, Representation, TypeDef, TypeKind, TypeRef,
};

use crate::{element, per_version, type_named};

fn names(types: impl Iterator<Item = TypeRef>) -> Vec<&'static str> {
    types.map(TypeRef::name).collect()
}

fn target_names(type_ref: TypeRef) -> Vec<&'static str> {
    type_ref.targets().map(TypeDef::name).collect()
}

fn only_type(element: ElementDef) -> TypeRef {
    assert_eq!(element.types().len(), 1, "{}", element.path());
    element.types().next().expect("one was counted")
}

#[test]
fn observation_value_has_the_types_of_each_version() {
    let stu3 =
        ["Quantity", "CodeableConcept", "string", "boolean", "Range", "Ratio", "SampledData", "Attachment"];
    let stu3: Vec<&str> = stu3.into_iter().chain(["time", "dateTime", "Period"]).collect();
    let r4 = ["Quantity", "CodeableConcept", "string", "boolean", "integer", "Range", "Ratio", "SampledData"];
    let r4: Vec<&str> = r4.into_iter().chain(["time", "dateTime", "Period"]).collect();
    let r5: Vec<&str> = r4.iter().copied().chain(["Attachment", "Reference"]).collect();
    let found = FhirVersion::ALL.map(|version| names(element(version, "Observation.value").types()));
    assert_eq!(found, [stu3, r4.clone(), r4, r5]);
}

#[test]
fn a_choice_has_one_json_name_per_type_and_none_without() {
    let legal = |name: &str| {
        per_version(|all| {
            let observation = all.type_named("Observation").expect("every version has it");
            observation.resolve_json_name(name).map(|(element, type_ref)| (element.name(), type_ref.name()))
        })
    };
    assert_eq!(legal("valueQuantity"), [Some(("value", "Quantity")); 4]);
    assert_eq!(legal("valueDateTime"), [Some(("value", "dateTime")); 4]);
    assert_eq!(
        legal("valueInteger"),
        [None, Some(("value", "integer")), Some(("value", "integer")), Some(("value", "integer"))]
    );
    assert_eq!(legal("valueAttachment").map(|found| found.is_some()), [true, false, false, true]);
    for illegal in
        ["value", "valueDatetime", "valuequantity", "valueSimpleQuantity", "value[x]", "_status", ""]
    {
        assert_eq!(legal(illegal), [None; 4], "{illegal}");
    }
    assert_eq!(legal("status"), [Some(("status", "code")); 4]);
    for version in FhirVersion::ALL {
        let observation = type_named(version, "Observation");
        let value = observation.element("value").expect("paths name a choice without its type");
        assert!(value.is_choice() && observation.element("valueQuantity").is_none());
        assert_eq!(value.path().to_string(), "Observation.value[x]");
        let extension = type_named(version, "Extension");
        assert_eq!(
            extension.resolve_json_name("valueQuantity").map(|(_, found)| found.name()),
            Some("Quantity")
        );
    }
}

#[test]
fn members_come_in_definition_order_with_inherited_ones_first() {
    let order = |all: Definitions| {
        let flag = all.type_named("Flag").expect("every version has it");
        flag.elements().map(ElementDef::name).collect::<Vec<_>>().join(" ")
    };
    let resource = "id meta implicitRules language text contained extension modifierExtension identifier";
    let stu3 = format!("{resource} status category code subject period encounter author");
    let later = format!("{resource} status category code subject period encounter author");
    assert_eq!(per_version(order), [stu3, later.clone(), later.clone(), later]);
    let contact = element(FhirVersion::R4, "Patient.contact").children().expect("a backbone element");
    let found: Vec<&str> = contact.elements().map(ElementDef::name).collect();
    let expected =
        "id extension modifierExtension relationship name telecom address gender organization period";
    assert_eq!(found.join(" "), expected);
    assert_eq!(contact.backbone().map(ElementDef::name), Some("contact"));
    let json: Vec<&str> =
        type_named(FhirVersion::R4, "Annotation").fields().json_names().map(|(name, ..)| name).collect();
    assert_eq!(json, ["id", "extension", "authorReference", "authorString", "time", "text"]);
}

#[test]
fn a_bundle_entry_holds_any_resource() {
    for version in FhirVersion::ALL {
        let resource = element(version, "Bundle.entry.resource");
        let held = only_type(resource).type_def();
        assert_eq!((held.name(), held.kind(), held.is_abstract()), ("Resource", TypeKind::Resource, true));
        assert!(!resource.is_list());
        let link = element(version, "Bundle.entry.link");
        assert_eq!(link.content_reference(), Some(element(version, "Bundle.link")));
    }
}

#[test]
fn a_questionnaire_item_holds_items() {
    for version in FhirVersion::ALL {
        let item = element(version, "Questionnaire.item");
        let deep = element(version, "Questionnaire.item.item.item.item");
        assert_eq!(deep.content_reference(), Some(item));
        assert_eq!(names(deep.types()), ["BackboneElement"]);
        assert!(deep.is_list());
        let link_id = element(version, "Questionnaire.item.item.item.linkId");
        assert_eq!(link_id, element(version, "Questionnaire.item.linkId"));
        assert_eq!(link_id.path().to_string(), "Questionnaire.item.linkId");
    }
}

#[test]
fn reference_targets_are_merged_and_checked() {
    let subject = |version| only_type(element(version, "Flag.subject"));
    let stu3 = subject(FhirVersion::Stu3);
    assert_eq!(
        target_names(stu3),
        [
            "Group",
            "Location",
            "Medication",
            "Organization",
            "Patient",
            "PlanDefinition",
            "Practitioner",
            "Procedure"
        ]
    );
    assert!(stu3.accepts_target(type_named(FhirVersion::Stu3, "Patient")));
    assert!(!stu3.accepts_target(type_named(FhirVersion::Stu3, "Flag")));
    let any = only_type(element(FhirVersion::Stu3, "Provenance.target"));
    assert_eq!(any.targets().len(), 0, "Reference(Any)");
    assert!(any.accepts_target(type_named(FhirVersion::Stu3, "Binary")));
    let canonical = only_type(element(FhirVersion::R4, "CapabilityStatement.imports"));
    assert_eq!((canonical.name(), target_names(canonical)), ("canonical", vec!["CapabilityStatement"]));
    let either = only_type(element(FhirVersion::R5, "MedicationRequest.medication"));
    assert_eq!((either.name(), target_names(either)), ("CodeableReference", vec!["Medication"]));
}

#[test]
fn attributes_and_xhtml_stand_elsewhere_in_xml() {
    for version in FhirVersion::ALL {
        let representation = |path| element(version, path).representation();
        assert_eq!(representation("Extension.url"), Representation::Attribute);
        assert_eq!(representation("HumanName.id"), Representation::Attribute);
        assert_eq!(representation("Patient.contact.id"), Representation::Attribute);
        assert_eq!(representation("boolean.value"), Representation::Attribute);
        assert_eq!(representation("Patient.id"), Representation::Element);
        assert_eq!(representation("Narrative.div"), Representation::Xhtml);
        assert_eq!(representation("Patient.name"), Representation::Element);
    }
}

#[test]
fn ids_urls_and_values_have_the_same_types_in_every_version() {
    for version in FhirVersion::ALL {
        let type_of = |path| only_type(element(version, path)).name();
        assert_eq!(type_of("Patient.id"), "id");
        assert_eq!(type_of("Parameters.id"), "id");
        assert_eq!(type_of("HumanName.id"), "string");
        assert_eq!(type_of("Patient.contact.id"), "string");
        assert_eq!(type_of("dateTime.id"), "string");
        assert_eq!(type_of("Extension.url"), "uri");
        assert_eq!(type_of("boolean.value"), "System.Boolean");
        assert_eq!(type_of("positiveInt.value"), "System.Integer");
        assert_eq!(type_of("instant.value"), "System.DateTime");
        assert_eq!(type_of("code.value"), "System.String");
        let system = type_named(version, "System.String");
        assert_eq!((system.kind(), system.url(), system.base()), (TypeKind::System, None, None));
        assert_eq!(system.elements().count(), 0);
    }
}

#[test]
fn types_know_their_ancestors() {
    let lineage = |version, name| {
        type_named(version, name).lineage().map(TypeDef::name).collect::<Vec<_>>().join(" < ")
    };
    assert_eq!(lineage(FhirVersion::Stu3, "Patient"), "Patient < DomainResource < Resource");
    assert_eq!(lineage(FhirVersion::R5, "Patient"), "Patient < DomainResource < Resource < Base");
    assert_eq!(lineage(FhirVersion::R4, "Bundle"), "Bundle < Resource");
    assert_eq!(lineage(FhirVersion::Stu3, "Money"), "Money < Quantity < Element");
    assert_eq!(lineage(FhirVersion::R4, "Money"), "Money < Element");
    assert_eq!(lineage(FhirVersion::R4, "Dosage"), "Dosage < BackboneElement < Element");
    assert_eq!(lineage(FhirVersion::R4, "code"), "code < string < Element");
    assert_eq!(
        lineage(FhirVersion::R5, "positiveInt"),
        "positiveInt < integer < PrimitiveType < DataType < Element < Base"
    );
    let patient = type_named(FhirVersion::R4, "Patient");
    assert!(patient.is_a(type_named(FhirVersion::R4, "DomainResource")) && patient.is_a(patient));
    assert!(!patient.is_a(type_named(FhirVersion::Stu3, "Patient")), "versions do not mix");
}

#[test]
fn simple_quantities_are_quantities_without_a_comparator() {
    for version in FhirVersion::ALL {
        let low = only_type(element(version, "Range.low"));
        assert_eq!(low.name(), "Quantity");
        let simple = low.profile().expect("a range is made of simple quantities");
        assert_eq!((simple.name(), simple.is_profile()), ("SimpleQuantity", true));
        assert_eq!(simple.element("comparator").map(ElementDef::max), Some(Some(0)));
        assert_eq!(simple.element("value"), type_named(version, "Quantity").element("value"));
        assert_eq!(type_named(version, "Quantity").element("comparator").map(ElementDef::max), Some(Some(1)));
    }
}

#[test]
fn primitives_have_patterns_and_shapes() {
    let pattern = |name: &str| per_version(|all| all.type_named(name).and_then(TypeDef::pattern));
    assert_eq!(pattern("id"), [Some(r"[A-Za-z0-9\-\.]{1,64}"); 4]);
    let exponent = pattern("decimal").map(|pattern| pattern.is_some_and(|pattern| pattern.contains("[eE]")));
    assert_eq!(exponent, [false, true, true, true]);
    assert_eq!(pattern("boolean")[0], None);
    assert_eq!(pattern("boolean")[1], Some("true|false"));
    assert_eq!(pattern("Patient"), [None; 4]);
    for version in FhirVersion::ALL {
        let all = Definitions::of(version);
        let primitives = all.types().filter_map(|found| Some((found, found.primitive()?)));
        for (found, primitive) in primitives {
            assert_eq!(found.name(), primitive.name(), "{version}");
            let value = found.element("value").expect("every primitive has a value");
            let system = only_type(value).name();
            let shape = match system {
                "System.Boolean" => JsonShape::Boolean,
                "System.Integer" if primitive != Primitive::Integer64 => JsonShape::Number,
                "System.Decimal" => JsonShape::Number,
                _ => JsonShape::String,
            };
            assert_eq!(primitive.json_shape(), shape, "{version} {}", primitive.name());
        }
    }
}

#[test]
fn summaries_modifiers_and_cardinalities() {
    let flags = |path| {
        let found = element(FhirVersion::R4, path);
        (found.is_summary(), found.is_modifier(), found.min(), found.max())
    };
    assert_eq!(flags("Patient.active"), (true, true, 0, Some(1)));
    assert_eq!(flags("Patient.name"), (true, false, 0, None));
    assert_eq!(flags("Patient.photo"), (false, false, 0, None));
    assert_eq!(flags("Observation.status"), (true, true, 1, Some(1)));
    assert_eq!(flags("Bundle.link.url"), (true, false, 1, Some(1)));
}

#[test]
fn rules_stand_where_the_definitions_put_them() {
    let keys = |invariants: &mut dyn Iterator<Item = fhir_definitions::InvariantDef>| {
        let mut keys: Vec<&str> = invariants.map(fhir_definitions::InvariantDef::key).collect();
        keys.sort_unstable();
        keys
    };
    let patient = type_named(FhirVersion::R4, "Patient");
    assert_eq!(keys(&mut patient.invariants()), ["dom-2", "dom-3", "dom-4", "dom-5", "dom-6"]);
    assert_eq!(keys(&mut element(FhirVersion::R4, "Patient.contact").invariants()), ["pat-1"]);
    assert_eq!(keys(&mut element(FhirVersion::R4, "Patient.name").invariants()), [""; 0]);
    assert_eq!(keys(&mut type_named(FhirVersion::R4, "HumanName").invariants()), ["ele-1"]);
    assert_eq!(keys(&mut type_named(FhirVersion::Stu3, "Extension").invariants()), ["ele-1", "ext-1"]);
    let contact = element(FhirVersion::R4, "Patient.contact").invariants().next().expect("it has one");
    assert_eq!(
        contact.expression(),
        "name.exists() or telecom.exists() or address.exists() or organization.exists()"
    );
    assert_eq!(contact.severity(), fhir_definitions::Severity::Error);
    let advice = patient.invariants().find(|rule| rule.key() == "dom-6").expect("it is listed above");
    assert_eq!(advice.severity(), fhir_definitions::Severity::Warning);
    assert!(advice.is_best_practice() && !contact.is_best_practice());
}
