//! Twins: the members with a leading underscore, which hold the ids and extensions of primitives (FHIR, JSON, section
//! "JSON representation of primitive elements").

use fhir_definitions::TypeKind;
use fhir_model::json::Value;

use crate::content::has_nothing_but_id;
use crate::finding::Rule;
use crate::place::Place;
use crate::walk::{Member, Scope, Walk};

impl Walk<'_> {
    /// `null` in an array of primitives stands opposite an object in the twin.
    #[cold]
    pub(crate) fn null(&mut self, member: &Member<'_>, index: Option<usize>, place: &Place<'_>) {
        let Some(index) = index else {
            let message = format_args!("null has no place here: remove it or write a value");
            return self.report.add(Rule::NullValue, place, message);
        };
        let twin = member.object.iter().find(|(name, _)| name.strip_prefix('_') == Some(member.key));
        let opposite = twin.and_then(|(_, twin)| twin.at(index));
        if opposite.and_then(Value::as_object).is_none() {
            let message = format_args!(
                "null has no place here: remove it or write a value, unless the member _{} has an object for it",
                member.key,
            );
            self.report.add(Rule::NullValue, place, message);
        }
    }

    /// Checks the id and extensions of a primitive: the member with the leading underscore. `member.key` is the name
    /// without it.
    #[cold]
    pub(crate) fn twin(&mut self, member: &Member<'_>, value: &Value, place: &Place<'_>, scope: &Scope<'_>) {
        let place = place.child(member.element.name());
        let TypeKind::Primitive(_) = member.type_ref.type_def().kind() else {
            let message = format_args!(
                "only primitives have a member with a leading underscore: write the id and extensions of {} into it",
                member.key
            );
            return self.report.add(Rule::SiblingForbidden, &place, message);
        };
        let primary = member.object.get(member.key);
        match (value, member.element.is_list()) {
            (Value::Array(items), true) => self.twin_items(member, items, primary, &place, scope),
            (Value::Array(items), false) => self.unwanted_array(items, &place),
            (_, true) => {
                let message = format_args!("{0} repeats, so _{0} is an array as well", member.key);
                self.report.add(Rule::ArrayExpected, &place, message);
            }
            (_, false) => {
                let has_value = primary.is_some_and(|primary| !primary.is_null());
                self.twin_value(member, value, has_value, &place, scope);
            }
        }
    }

    fn twin_items(
        &mut self,
        member: &Member<'_>,
        items: &[Value],
        primary: Option<&Value>,
        place: &Place<'_>,
        scope: &Scope<'_>,
    ) {
        if items.is_empty() {
            self.report.add(Rule::ArrayEmpty, place, "an array must not be empty: remove it or add an item");
        }
        if let Some(values) = primary.and_then(Value::as_array)
            && values.len() != items.len()
        {
            let message = format_args!(
                "{0} has {1} items and _{0} has {2}: give both the same length, with null where there is nothing",
                member.key,
                values.len(),
                items.len()
            );
            self.report.add(Rule::SiblingLength, place, message);
        }
        for (index, item) in items.iter().enumerate() {
            if self.report.is_full() {
                return;
            }
            let opposite = primary.and_then(|values| values.at(index));
            // Two nulls are reported where the value should be.
            if !item.is_null() || opposite.is_none() {
                let has_value = opposite.is_some_and(|value| !value.is_null());
                self.twin_value(member, item, has_value, &place.item(index), scope);
            }
        }
    }

    fn twin_value(
        &mut self,
        member: &Member<'_>,
        value: &Value,
        has_value: bool,
        place: &Place<'_>,
        scope: &Scope<'_>,
    ) {
        match value {
            Value::Object(object) => {
                if object.is_empty() || (!has_value && has_nothing_but_id(object)) {
                    let message = "a primitive needs a value or an extension: add one or remove it";
                    self.report.add(Rule::ObjectEmpty, place, message);
                }
                self.object(object, member.type_ref.fields(), place, scope);
            }
            Value::Null => {
                self.report.add(Rule::NullValue, place, "null has no place here: remove it or write a value");
            }
            other => {
                let message = format_args!(
                    "_{} holds the id and extensions of {} in an object, not {}",
                    member.key,
                    member.key,
                    other.kind()
                );
                self.report.add(Rule::JsonType, place, message);
            }
        }
    }
}
