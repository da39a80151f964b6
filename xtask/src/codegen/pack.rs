//! Writes a [`Model`] in the layout of `format`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, ensure};

use super::format::{
    self, BindingRow, CompartmentRow, ElementRow, EntryRow, FieldsRow, InvariantRow, MemberRow, NONE,
    NumberRow, ParameterRow, ParameterUseRow, TypeRefRow, TypeRow, ValueSetRow,
};
use super::model::{
    Binding, Element, Invariant, Kind, Model, Parameter, Representation, Shape, Type, TypeRef,
};
use super::strings::Strings;

/// The table file of one version.
pub(super) fn pack(model: &Model, strings: &mut Strings) -> Result<Vec<u8>> {
    let mut packer = Packer {
        model,
        strings,
        sections: std::array::from_fn(|_| Vec::new()),
        type_ids: model.types.keys().zip(0..).map(|(name, id)| (name.as_str(), id)).collect(),
        lists: HashMap::new(),
        type_refs: HashMap::new(),
        bindings: HashMap::new(),
        value_sets: HashMap::new(),
        invariants: HashMap::new(),
    };
    packer.list(&[])?;
    packer.value_sets()?;
    packer.types()?;
    packer.elements()?;
    packer.fields()?;
    packer.parameters()?;
    packer.compartments()?;
    packer.file()
}

struct Packer<'a> {
    model: &'a Model,
    strings: &'a mut Strings,
    sections: [Vec<u8>; format::SECTION_COUNT],
    type_ids: HashMap<&'a str, u16>,
    /// What is already packed, so that equal things are stored once.
    lists: HashMap<Vec<u16>, u16>,
    type_refs: HashMap<Vec<TypeRef>, u16>,
    bindings: HashMap<Binding, u16>,
    value_sets: HashMap<(&'a str, Option<&'a str>), u16>,
    invariants: HashMap<Invariant, u16>,
}

impl<'a> Packer<'a> {
    /// Appends a row and gives its index.
    fn push<const WIDTH: usize>(&mut self, section: usize, row: [u8; WIDTH]) -> Result<u16> {
        let index = self.count::<WIDTH>(section)?;
        self.sections[section].extend(row);
        Ok(index)
    }

    /// Number of rows so far.
    fn count<const WIDTH: usize>(&self, section: usize) -> Result<u16> {
        small(self.sections[section].len() / WIDTH)
    }

    /// Offset of a list of numbers.
    fn list(&mut self, numbers: &[u16]) -> Result<u16> {
        if let Some(&offset) = self.lists.get(numbers) {
            return Ok(offset);
        }
        let offset = self.push(format::LISTS, NumberRow { value: small(numbers.len())? }.pack())?;
        for &value in numbers {
            self.push(format::LISTS, NumberRow { value }.pack())?;
        }
        self.lists.insert(numbers.to_vec(), offset);
        Ok(offset)
    }

    fn type_id(&self, name: &str) -> Result<u16> {
        self.type_ids.get(name).copied().with_context(|| format!("{name} is no type"))
    }

    fn type_list(&mut self, names: &[String]) -> Result<u16> {
        let ids: Result<Vec<u16>> = names.iter().map(|name| self.type_id(name)).collect();
        self.list(&ids?)
    }

    fn optional_string(&mut self, text: Option<&str>) -> Result<u16> {
        text.map_or(Ok(NONE), |text| self.strings.id(text))
    }

    /// All value sets that bindings name, sorted.
    fn value_sets(&mut self) -> Result<()> {
        let bindings = self.model.elements.iter().filter_map(|element| element.shape.binding.as_ref());
        let sorted: BTreeSet<(&str, Option<&str>)> =
            bindings.map(|binding| (binding.url.as_str(), binding.version.as_deref())).collect();
        for (url, version) in sorted {
            let codes = match self.model.codes.get(url) {
                Some(codes) => self.codes(codes)?,
                None => NONE,
            };
            let row =
                ValueSetRow { url: self.strings.id(url)?, version: self.optional_string(version)?, codes };
            let index = self.push(format::VALUE_SETS, row.pack())?;
            self.value_sets.insert((url, version), index);
        }
        Ok(())
    }

    /// A list of groups, one per system.
    fn codes(&mut self, codes: &[(Option<String>, String)]) -> Result<u16> {
        let mut numbers = Vec::new();
        for group in codes.chunk_by(|a, b| a.0 == b.0) {
            numbers.push(self.optional_string(group[0].0.as_deref())?);
            numbers.push(small(group.len())?);
            for (_, code) in group {
                numbers.push(self.strings.id(code)?);
            }
        }
        self.list(&numbers)
    }

    fn types(&mut self) -> Result<()> {
        let mut uses_start = 0;
        for (name, defined) in &self.model.types {
            let uses_count = small(uses(self.model, name).len())?;
            let row = TypeRow {
                name: self.strings.id(name)?,
                base: defined.base.as_deref().map_or(Ok(NONE), |base| self.type_id(base))?,
                kind: kind_bits(name, defined)?,
                fields: defined.fields.map_or(Ok(NONE), small)?,
                regex: self.optional_string(defined.regex.as_deref())?,
                invariants: self.invariants(&defined.invariants)?,
                uses_start,
                uses_count,
            };
            uses_start = uses_start.checked_add(uses_count).context("too many parameter uses")?;
            self.push(format::TYPES, row.pack())?;
        }
        let names: Vec<&str> = self.model.types.keys().map(String::as_str).collect();
        let slots = hash_table(&names)?;
        self.slots(format::TYPE_SLOTS, &slots)
    }

    fn slots(&mut self, section: usize, slots: &[u16]) -> Result<()> {
        for &value in slots {
            self.push(section, NumberRow { value }.pack())?;
        }
        Ok(())
    }

    fn invariants(&mut self, invariants: &[Invariant]) -> Result<u16> {
        let ids: Result<Vec<u16>> = invariants.iter().map(|invariant| self.invariant(invariant)).collect();
        self.list(&ids?)
    }

    fn invariant(&mut self, invariant: &Invariant) -> Result<u16> {
        if let Some(&index) = self.invariants.get(invariant) {
            return Ok(index);
        }
        let best_practice = if invariant.is_best_practice { format::BEST_PRACTICE } else { 0 };
        let row = InvariantRow {
            key: self.strings.id(&invariant.key)?,
            severity: u16::from(!invariant.is_error) | best_practice,
            human: self.strings.id(&invariant.human)?,
            expression: self.strings.id(&invariant.expression)?,
        };
        let index = self.push(format::INVARIANTS, row.pack())?;
        self.invariants.insert(invariant.clone(), index);
        Ok(index)
    }

    fn elements(&mut self) -> Result<()> {
        for element in &self.model.elements {
            let shape = &element.shape;
            let row = ElementRow {
                name: self.strings.id(&element.name)?,
                parent: small(element.parent)?,
                flags: flag_bits(shape),
                min: shape.min,
                max: shape.max.unwrap_or(NONE),
                types_start: self.type_refs(&shape.types)?,
                types_count: small(shape.types.len())?,
                children: element.children.map_or(Ok(NONE), small)?,
                content_reference: element.content_reference.map_or(Ok(NONE), small)?,
                binding: shape.binding.as_ref().map_or(Ok(NONE), |binding| self.binding(binding))?,
                invariants: self.invariants(&shape.invariants)?,
            };
            self.push(format::ELEMENTS, row.pack())?;
        }
        Ok(())
    }

    /// Index of the first of these type references.
    fn type_refs(&mut self, types: &[TypeRef]) -> Result<u16> {
        if let Some(&start) = self.type_refs.get(types) {
            return Ok(start);
        }
        let start = self.count::<{ TypeRefRow::WIDTH }>(format::TYPE_REFS)?;
        for allowed in types {
            let row = TypeRefRow {
                type_index: self.type_id(&allowed.name)?,
                targets: self.type_list(&allowed.targets)?,
                profile: allowed.profile.as_deref().map_or(Ok(NONE), |profile| self.type_id(profile))?,
            };
            self.push(format::TYPE_REFS, row.pack())?;
        }
        self.type_refs.insert(types.to_vec(), start);
        Ok(start)
    }

    fn binding(&mut self, binding: &'a Binding) -> Result<u16> {
        if let Some(&index) = self.bindings.get(binding) {
            return Ok(index);
        }
        let key = (binding.url.as_str(), binding.version.as_deref());
        let value_set = *self.value_sets.get(&key).context("value sets are packed first")?;
        let strength = place(&format::STRENGTHS, &binding.strength)?;
        let index = self.push(format::BINDINGS, BindingRow { value_set, strength }.pack())?;
        self.bindings.insert(binding.clone(), index);
        Ok(index)
    }

    fn fields(&mut self) -> Result<()> {
        for fields in &self.model.fields {
            let entries_start = self.count::<{ EntryRow::WIDTH }>(format::ENTRIES)?;
            let slots_start = self.count::<{ NumberRow::WIDTH }>(format::FIELD_SLOTS)?;
            let mut names = Vec::new();
            for &element in &fields.elements {
                names.extend(self.entries(element)?);
            }
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let slots = hash_table(&names).with_context(|| format!("in {}", fields.type_name))?;
            self.slots(format::FIELD_SLOTS, &slots)?;
            let row = FieldsRow {
                type_index: self.type_id(&fields.type_name)?,
                element: fields.element.map_or(Ok(NONE), small)?,
                entries_start,
                entries_count: small(names.len())?,
                slots_start,
                slots_log2: u16::try_from(slots.len().trailing_zeros())?,
            };
            self.push(format::FIELDS, row.pack())?;
        }
        Ok(())
    }

    /// Appends the entries of one element and gives their names.
    fn entries(&mut self, index: usize) -> Result<Vec<String>> {
        let Element { name, shape, .. } = &self.model.elements[index];
        let element = small(index)?;
        let first = self.type_refs(&shape.types)?;
        let mut entries = vec![(name.clone(), if shape.is_choice { NONE } else { first })];
        if shape.is_choice {
            entries.extend(
                shape.types.iter().zip(first..).map(|(allowed, id)| (typed(name, &allowed.name), id)),
            );
        } else {
            ensure!(shape.types.len() == 1, "{} has not exactly one type", self.model.path(index));
        }
        for (name, type_ref) in &entries {
            let row = EntryRow { name: self.strings.id(name)?, element, type_ref: *type_ref };
            self.push(format::ENTRIES, row.pack())?;
        }
        Ok(entries.into_iter().map(|(name, _)| name).collect())
    }

    fn parameters(&mut self) -> Result<()> {
        for parameter in &self.model.parameters {
            let mut components = Vec::new();
            for component in &parameter.components {
                components.push(place(&format::SEARCH_TYPES, &component.kind)?);
                components.push(component.parameter.map_or(Ok(NONE), small)?);
                components.push(self.strings.id(&component.expression)?);
            }
            let row = ParameterRow {
                code: self.strings.id(&parameter.code)?,
                kind: place(&format::SEARCH_TYPES, &parameter.kind)?,
                url: self.strings.id(&parameter.url)?,
                multiple_or: parameter.multiple_or.map_or(0, |is_allowed| 1 + u16::from(is_allowed)),
                comparators: comparator_bits(parameter)?,
                targets: self.type_list(&parameter.targets)?,
                components: self.list(&components)?,
            };
            self.push(format::PARAMETERS, row.pack())?;
        }
        for name in self.model.types.keys() {
            for (parameter, expression) in uses(self.model, name).into_values() {
                let row = ParameterUseRow {
                    parameter: small(parameter)?,
                    expression: self.optional_string(expression)?,
                };
                self.push(format::PARAMETER_USES, row.pack())?;
            }
        }
        Ok(())
    }

    fn compartments(&mut self) -> Result<()> {
        for compartment in &self.model.compartments {
            let row = CompartmentRow {
                type_index: self.type_id(&compartment.type_name)?,
                url: self.strings.id(&compartment.url)?,
                members_start: self.count::<{ MemberRow::WIDTH }>(format::MEMBERS)?,
                members_count: small(compartment.members.len())?,
            };
            self.push(format::COMPARTMENTS, row.pack())?;
            for (name, parameters) in &compartment.members {
                let ids: Result<Vec<u16>> = parameters.iter().map(|name| self.strings.id(name)).collect();
                let row = MemberRow { type_index: self.type_id(name)?, parameters: self.list(&ids?)? };
                self.push(format::MEMBERS, row.pack())?;
            }
        }
        Ok(())
    }

    /// Header and sections.
    fn file(self) -> Result<Vec<u8>> {
        let mut file = format::MAGIC.to_vec();
        let mut offset = format::HEADER_BYTES;
        for section in &self.sections {
            file.extend(u32::try_from(offset)?.to_le_bytes());
            file.extend(u32::try_from(section.len())?.to_le_bytes());
            offset += section.len();
        }
        file.extend(self.sections.into_iter().flatten());
        Ok(file)
    }
}

/// A number that fits a field and is not [`NONE`].
fn small(number: usize) -> Result<u16> {
    u16::try_from(number)
        .ok()
        .filter(|&small| small != NONE)
        .context("more rows than a 16-bit index can name")
}

/// The place of a code in a list of codes.
fn place(codes: &[&str], code: &str) -> Result<u16> {
    let found = codes.iter().position(|known| *known == code);
    small(found.with_context(|| format!("{code:?} is none of {codes:?}"))?)
}

fn kind_bits(name: &str, defined: &Type) -> Result<u16> {
    let kind = match defined.kind {
        Kind::Resource => format::KIND_RESOURCE,
        Kind::Complex => format::KIND_COMPLEX,
        Kind::Primitive => format::KIND_PRIMITIVE + place(&format::PRIMITIVES, name)?,
        Kind::System => format::KIND_SYSTEM,
    };
    let is_abstract = if defined.is_abstract { format::TYPE_ABSTRACT } else { 0 };
    let is_profile = if defined.is_profile { format::TYPE_PROFILE } else { 0 };
    Ok(kind | is_abstract | is_profile)
}

fn flag_bits(shape: &Shape) -> u16 {
    let representation = match shape.representation {
        Representation::Element => 0,
        Representation::Attribute => format::ELEMENT_XML_ATTRIBUTE,
        Representation::Xhtml => format::ELEMENT_XHTML,
    };
    representation
        | if shape.is_choice { format::ELEMENT_CHOICE } else { 0 }
        | if shape.is_summary { format::ELEMENT_SUMMARY } else { 0 }
        | if shape.is_modifier { format::ELEMENT_MODIFIER } else { 0 }
}

fn comparator_bits(parameter: &Parameter) -> Result<u16> {
    let places: Result<Vec<u16>> =
        parameter.comparators.iter().map(|comparator| place(&format::COMPARATORS, comparator)).collect();
    Ok(places?.into_iter().fold(0, |bits, place| bits | 1 << place))
}

/// The JSON name of a choice with one of its types: `value` and `dateTime` give `valueDateTime`.
fn typed(name: &str, type_name: &str) -> String {
    let mut letters = type_name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    name.chars().chain(first).chain(letters).collect()
}

/// An open-addressing table over distinct names: each slot holds a name's place plus one, or 0.
fn hash_table(names: &[&str]) -> Result<Vec<u16>> {
    let mut slots = vec![0; 1 << format::slots_log2(names.len())];
    let mask = slots.len() - 1;
    for (index, name) in names.iter().enumerate() {
        ensure!(!names[..index].contains(name), "{name} stands twice");
        let mut at = usize::try_from(format::hash(name))? & mask;
        while slots[at] != 0 {
            at = (at + 1) & mask;
        }
        slots[at] = small(index + 1)?;
    }
    Ok(slots)
}

/// The parameters of a resource type with those of its bases, by code; the nearest base wins.
fn uses<'a>(model: &'a Model, name: &'a str) -> BTreeMap<&'a str, (usize, Option<&'a str>)> {
    let mut found = BTreeMap::new();
    let mut next = Some(name);
    while let Some(name) = next {
        for (index, parameter) in model.parameters.iter().enumerate() {
            if let Some(expression) = parameter.uses.get(name) {
                found.entry(parameter.code.as_str()).or_insert((index, expression.as_deref()));
            }
        }
        next = model.types.get(name).and_then(|defined| defined.base.as_deref());
    }
    found
}
