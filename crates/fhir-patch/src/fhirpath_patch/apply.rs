//! Operations on a resource.

use fhir_definitions::{Definitions, ElementDef, Fields};
use fhir_model::json::{Object, Value};

use super::error::FhirPathPatchRefusal as Refusal;
use super::place::{fit, members, named};
use super::select::{Evaluations, PatchPath, Selected};
use super::value::PatchValue;
use super::{List, Operation, OperationKind};
use crate::edit::{
    ElementBuf, extra_name, insert_item, len, move_item, object_at, object_to_fill, remove_at, replace_item,
    set_single,
};
use crate::error::NotApplicable;
use crate::limits::{Budget, Limits, Size};
use crate::path::Target;

type Applied<T = ()> = Result<T, Refusal>;

/// Fewest steps that each evaluation gets, however many there are.
const EVALUATION_STEPS_MIN: u64 = 1_000;

/// Applies operations to a copy of the resource.
pub(super) fn apply(
    operations: &[Operation],
    resource: &Value,
    definitions: Definitions,
    limits: &Limits,
) -> Result<Value, NotApplicable<Refusal>> {
    let refused = |index: usize, operation: &Operation, refusal| NotApplicable {
        operation: index,
        path: operation.path.to_string(),
        refusal,
    };
    let Some(first) = operations.first() else { return Ok(resource.clone()) };
    let budget =
        Budget::new(limits, Size::of(resource)).map_err(|exceeded| refused(0, first, exceeded.into()))?;
    // An evaluation does not tell what it took, so what all of them may take is shared out among them.
    let evaluated = operations.iter().filter(|operation| !operation.path.is_plain()).count().max(1);
    let steps_max = (limits.steps_max / evaluated as u64).max(EVALUATION_STEPS_MIN);
    let evaluations = Evaluations { steps_max };
    let mut patching = Patching { resource: resource.clone(), definitions, evaluations, budget };
    for (index, operation) in operations.iter().enumerate() {
        patching.perform(operation).map_err(|refusal| refused(index, operation, refusal))?;
    }
    Ok(patching.resource)
}

struct Patching {
    resource: Value,
    definitions: Definitions,
    evaluations: Evaluations,
    budget: Budget,
}

impl Patching {
    fn perform(&mut self, operation: &Operation) -> Applied {
        let path = &operation.path;
        match &operation.kind {
            OperationKind::Add { name, value } => self.add(path, name, value),
            OperationKind::Insert { list, index, value } => self.insert(list.as_ref(), *index, value),
            OperationKind::Delete => self.delete(path),
            OperationKind::Replace { value } => self.replace(path, value),
            OperationKind::Move { list, source, destination } => {
                self.relocate(list.as_ref(), *source, *destination)
            }
        }
    }

    fn select(&mut self, path: &PatchPath) -> Applied<Option<Target>> {
        match path.select(&self.resource, self.definitions, self.evaluations, &mut self.budget)? {
            Selected::Nothing => Ok(None),
            Selected::One(target) => Ok(Some(target)),
            Selected::Several(found) => Err(Refusal::SeveralMatches { found }),
        }
    }

    fn select_one(&mut self, path: &PatchPath) -> Applied<Target> {
        self.select(path)?.ok_or(Refusal::NoMatch)
    }

    /// An element that gets another one inside, and what may stand inside it.
    fn parent(&mut self, path: &PatchPath, name: &str) -> Applied<(Target, Fields)> {
        let target = self.select_one(path)?;
        let unknown = || Refusal::UnknownElement { name: name.to_owned(), inside: target.path.to_string() };
        let fields = target.fields.ok_or_else(unknown)?;
        Ok((target, fields))
    }

    /// The object of an element that gets another one inside, with the budget, which is charged for the new one.
    fn fill(&mut self, target: &Target, new: &ElementBuf, is_item: bool) -> Applied<&mut Object> {
        let levels = target.path.levels() + 1 + usize::from(is_item);
        for part in [&new.value, &new.extra].into_iter().flatten() {
            let size = Size::of(part);
            self.budget.step(size.nodes)?;
            self.budget.put(size, levels)?;
        }
        object_to_fill(&mut self.resource, &target.path).ok_or(Refusal::NoMatch)
    }

    fn add(&mut self, path: &PatchPath, name: &str, value: &PatchValue) -> Applied {
        let (target, fields) = self.parent(path, name)?;
        let (element, only) = named(fields, name)?;
        let fitted = fit(value, fields, element, only)?;
        if element.is_list() {
            let object = self.fill(&target, &fitted.element, true)?;
            let count = len(object, fitted.member);
            insert_item(object, fields, fitted.member, count, fitted.element);
            return Ok(self.budget.walk(count)?);
        }
        let inside = object_at(&mut self.resource, target.path.steps());
        if inside.is_some_and(|object| is_there(object, fields, element)) {
            return Err(Refusal::Exists { name: name.to_owned() });
        }
        let object = self.fill(&target, &fitted.element, false)?;
        set_single(object, fields, fitted.member, fitted.element);
        Ok(())
    }

    /// The element that holds a list, and the list's definition.
    fn list(&mut self, list: Option<&List>) -> Applied<(Target, Fields, ElementDef, Option<&'static str>)> {
        let list = list.ok_or(Refusal::NotAList)?;
        let (target, fields) = self.parent(&list.parent, &list.name)?;
        let (element, only) = named(fields, &list.name)?;
        if !element.is_list() {
            return Err(Refusal::NotAList);
        }
        Ok((target, fields, element, only))
    }

    fn insert(&mut self, list: Option<&List>, index: usize, value: &PatchValue) -> Applied {
        let (target, fields, element, only) = self.list(list)?;
        let fitted = fit(value, fields, element, only)?;
        let inside = object_at(&mut self.resource, target.path.steps());
        let count = inside.map_or(0, |object| len(object, fitted.member));
        if index > count {
            return Err(Refusal::OutOfRange { index, len: count });
        }
        self.budget.walk(count)?;
        let object = self.fill(&target, &fitted.element, true)?;
        insert_item(object, fields, fitted.member, index, fitted.element);
        Ok(())
    }

    fn relocate(&mut self, list: Option<&List>, source: usize, destination: usize) -> Applied {
        let (target, fields, element, _) = self.list(list)?;
        let (member, _) = members(fields, element).next().ok_or(Refusal::NotAList)?;
        let object = object_at(&mut self.resource, target.path.steps());
        let count = object.as_deref().map_or(0, |object| len(object, member));
        if let Some(index) = [source, destination].into_iter().find(|index| *index >= count) {
            return Err(Refusal::OutOfRange { index, len: count });
        }
        if let Some(object) = object {
            move_item(object, member, source, destination);
        }
        Ok(self.budget.walk(count)?)
    }

    fn delete(&mut self, path: &PatchPath) -> Applied {
        let Some(target) = self.select(path)? else { return Ok(()) };
        let last = target.path.steps().last().ok_or(Refusal::WholeResource)?;
        if let Some((_, above)) = target.path.steps().split_last()
            && let Some(object) = object_at(&mut self.resource, above)
        {
            self.budget.walk(len(object, &last.member) + object.len())?;
        }
        remove_at(&mut self.resource, &target.path);
        Ok(())
    }

    fn replace(&mut self, path: &PatchPath, value: &PatchValue) -> Applied {
        let target = self.select_one(path)?;
        let (last, above) = target.path.steps().split_last().ok_or(Refusal::WholeResource)?;
        let place = target.place.ok_or_else(|| Refusal::UnknownElement {
            name: last.name.clone(),
            inside: target.path.to_string(),
        })?;
        let fitted = fit(value, place.beside, place.element, None)?;
        let mut parent = Target { path: target.path.clone(), place: None, fields: Some(place.beside) };
        parent.path.pop();
        self.fill(&parent, &fitted.element, last.index.is_some())?;
        let object = object_at(&mut self.resource, above).ok_or(Refusal::NoMatch)?;
        self.budget.walk(len(object, &last.member) + object.len())?;
        match last.index {
            Some(index) => replace_item(object, place.beside, &last.member, index, fitted.element),
            None => {
                if fitted.member != last.member {
                    rename(object, &last.member, fitted.member);
                }
                set_single(object, place.beside, fitted.member, fitted.element);
            }
        }
        Ok(())
    }
}

/// Gives a choice the name of its new type where the old one stood.
fn rename(object: &mut Object, old: &str, new: &str) {
    let position = object.position(old).or_else(|| object.position(&extra_name(old)));
    object.remove(old);
    object.remove(&extra_name(old));
    object.insert_at(position.unwrap_or(usize::MAX), new, Value::Null);
}

/// Whether an element that does not repeat is there, under any of its names.
fn is_there(object: &Object, fields: Fields, element: ElementDef) -> bool {
    members(fields, element)
        .any(|(member, _)| object.contains(member) || object.contains(&extra_name(member)))
}
