//! The layout of the packed tables: written by `cargo xtask codegen`, read by this crate.
//!
//! A table file is a header and sections. The header is [`MAGIC`] and, per section, offset and length in bytes
//! as little-endian `u32`. A section is an array of rows of one width; every field of a row is a
//! little-endian `u16`: an index into another section, a string id, an offset into [`LISTS`], or a small
//! number. [`NONE`] means "not there". `docs/definitions.md` has the picture.

/// First bytes of a table file; the digits change when the layout does.
pub(crate) const MAGIC: [u8; 8] = *b"FHIRDEF1";

/// A field that refers to nothing, and the `max` of an element that repeats without limit.
pub(crate) const NONE: u16 = u16::MAX;

/// Sections, in file order.
pub(crate) const TYPES: usize = 0;
pub(crate) const TYPE_SLOTS: usize = 1;
pub(crate) const FIELDS: usize = 2;
pub(crate) const FIELD_SLOTS: usize = 3;
pub(crate) const ENTRIES: usize = 4;
pub(crate) const ELEMENTS: usize = 5;
pub(crate) const TYPE_REFS: usize = 6;
pub(crate) const BINDINGS: usize = 7;
pub(crate) const VALUE_SETS: usize = 8;
pub(crate) const INVARIANTS: usize = 9;
pub(crate) const PARAMETERS: usize = 10;
pub(crate) const PARAMETER_USES: usize = 11;
pub(crate) const COMPARTMENTS: usize = 12;
pub(crate) const MEMBERS: usize = 13;
/// Lists of numbers of any length: the length comes first. Offset 0 holds the empty list.
pub(crate) const LISTS: usize = 14;
pub(crate) const SECTION_COUNT: usize = 15;

/// Bytes before the first section.
pub(crate) const HEADER_BYTES: usize = MAGIC.len() + SECTION_COUNT * 8;

/// Declares a row: a struct of `u16` fields with its packed form.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident [$width:literal] { $($(#[$field_doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: u16),+ }

        impl $name {
            /// Bytes of one packed row.
            pub(crate) const WIDTH: usize = $width;

            /// The packed row.
            pub(crate) fn pack(self) -> [u8; $width] {
                let mut bytes = [0; $width];
                let fields = [$(self.$field),+];
                for (place, field) in bytes.chunks_exact_mut(2).zip(fields) {
                    place.copy_from_slice(&field.to_le_bytes());
                }
                bytes
            }

            /// Reads a packed row; every bit pattern is one.
            #[inline]
            pub(crate) const fn unpack(bytes: &[u8; $width]) -> Self {
                let mut at = 0;
                $(
                    let $field = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
                    at += 2;
                )+
                let _ = at;
                Self { $($field),+ }
            }
        }
    };
}

row! {
    /// A type: resource, complex data type, primitive, or FHIRPath system type. Sorted by name.
    TypeRow[16] {
        /// String.
        name,
        /// Type, or none for `Element`, `Resource`, `Base` and the system types.
        base,
        /// Kind and the flags `TYPE_*`.
        kind,
        /// Fields, or none for system types.
        fields,
        /// String, or none: the pattern that a primitive's text matches.
        regex,
        /// List of invariants.
        invariants,
        /// First parameter use.
        uses_start,
        /// Number of parameter uses.
        uses_count,
    }
}

row! {
    /// What may stand inside a type or inside a backbone element.
    FieldsRow[12] {
        /// Type that these fields belong to, at whatever depth.
        type_index,
        /// Element whose content these are, or none when they are the type's own.
        element,
        /// First entry.
        entries_start,
        /// Number of entries.
        entries_count,
        /// First slot of the hash table over the entries' names.
        slots_start,
        /// The hash table has `1 << slots_log2` slots; a slot holds an entry's place plus one, or 0.
        slots_log2,
    }
}

row! {
    /// A name that may stand in JSON, or the bare name of a choice. In definition order; a choice's bare name
    /// comes before its typed names.
    EntryRow[6] {
        /// String.
        name,
        /// Element.
        element,
        /// Type reference, or none for the bare name of a choice.
        type_ref,
    }
}

row! {
    /// An element definition.
    ElementRow[22] {
        /// String: the last step of the path, without `[x]`.
        name,
        /// Fields that hold this element.
        parent,
        /// The flags `ELEMENT_*`.
        flags,
        /// Least number of occurrences.
        min,
        /// Greatest number of occurrences, or none for `*`.
        max,
        /// First type reference.
        types_start,
        /// Number of type references.
        types_count,
        /// Fields of a backbone element, or none.
        children,
        /// Element whose content this one repeats, or none.
        content_reference,
        /// Binding, or none.
        binding,
        /// List of invariants.
        invariants,
    }
}

row! {
    /// One of the types that an element may have.
    TypeRefRow[6] {
        /// Type.
        type_index,
        /// List of types that a reference may point to; empty: any.
        targets,
        /// Type that restricts this one, such as `SimpleQuantity`, or none.
        profile,
    }
}

row! {
    /// A value set bound to coded elements.
    BindingRow[4] {
        /// Value set.
        value_set,
        /// 0 required, 1 extensible, 2 preferred, 3 example.
        strength,
    }
}

row! {
    /// A value set. Sorted by URL, then version.
    ValueSetRow[6] {
        /// String.
        url,
        /// String, or none.
        version,
        /// List of groups (system or none, number of codes, codes), or none when the list is open or unknown.
        codes,
    }
}

row! {
    /// A rule on a type or an element.
    InvariantRow[8] {
        /// String.
        key,
        /// 0 error, 1 warning; plus [`BEST_PRACTICE`].
        severity,
        /// String.
        human,
        /// String.
        expression,
    }
}

row! {
    /// A search parameter as published.
    ParameterRow[14] {
        /// String.
        code,
        /// Place in `SEARCH_TYPES`.
        kind,
        /// String.
        url,
        /// 0 not said, 1 no, 2 yes.
        multiple_or,
        /// Bits by place in `COMPARATORS`.
        comparators,
        /// List of types.
        targets,
        /// List of triples (kind, parameter or none, expression).
        components,
    }
}

row! {
    /// A search parameter as it applies to one type. Sorted by code within the type.
    ParameterUseRow[4] {
        /// Parameter.
        parameter,
        /// String, or none.
        expression,
    }
}

row! {
    /// A compartment.
    CompartmentRow[8] {
        /// Type.
        type_index,
        /// String.
        url,
        /// First member.
        members_start,
        /// Number of members.
        members_count,
    }
}

row! {
    /// A resource type in a compartment. Sorted by type within the compartment.
    MemberRow[4] {
        /// Type.
        type_index,
        /// List of strings.
        parameters,
    }
}

row! {
    /// A bare number: a slot of a hash table or a part of a list.
    NumberRow[2] {
        /// The number.
        value,
    }
}

/// `TypeRow::kind`, lower byte. A primitive has this plus its place in [`PRIMITIVES`].
pub(crate) const KIND_RESOURCE: u16 = 0;
pub(crate) const KIND_COMPLEX: u16 = 1;
pub(crate) const KIND_SYSTEM: u16 = 2;
pub(crate) const KIND_PRIMITIVE: u16 = 16;
/// The bits of `TypeRow::kind` that hold the kind.
pub(crate) const KIND_MASK: u16 = 0xFF;
/// Set in `TypeRow::kind` when no instance has exactly this type.
pub(crate) const TYPE_ABSTRACT: u16 = 1 << 8;
/// Set in `TypeRow::kind` when the type only restricts its base.
pub(crate) const TYPE_PROFILE: u16 = 1 << 9;

/// `ElementRow::flags`.
pub(crate) const ELEMENT_CHOICE: u16 = 1;
pub(crate) const ELEMENT_SUMMARY: u16 = 1 << 1;
pub(crate) const ELEMENT_MODIFIER: u16 = 1 << 2;
pub(crate) const ELEMENT_XML_ATTRIBUTE: u16 = 1 << 3;
pub(crate) const ELEMENT_XHTML: u16 = 1 << 4;

/// Set in `InvariantRow::severity` when the rule is advice.
pub(crate) const BEST_PRACTICE: u16 = 1 << 8;

/// The primitive types of all versions, by number.
pub(crate) const PRIMITIVES: [&str; 21] = [
    "base64Binary",
    "boolean",
    "canonical",
    "code",
    "date",
    "dateTime",
    "decimal",
    "id",
    "instant",
    "integer",
    "integer64",
    "markdown",
    "oid",
    "positiveInt",
    "string",
    "time",
    "unsignedInt",
    "uri",
    "url",
    "uuid",
    "xhtml",
];

/// Codes of `http://hl7.org/fhir/search-param-type`, by number.
pub(crate) const SEARCH_TYPES: [&str; 9] =
    ["number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special"];

/// Codes of `http://hl7.org/fhir/search-comparator`, by bit.
pub(crate) const COMPARATORS: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// Codes of `http://hl7.org/fhir/binding-strength`, by number.
pub(crate) const STRENGTHS: [&str; 4] = ["required", "extensible", "preferred", "example"];

/// Binary logarithm of the number of slots for so many names: at most two thirds of them are used.
pub(crate) const fn slots_log2(names: usize) -> u32 {
    (names + names / 2 + 1).next_power_of_two().trailing_zeros()
}

/// Hash of a name. Eight bytes at a time; short names, so quality matters less than speed.
#[inline]
pub(crate) fn hash(name: &str) -> u32 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let mut state = name.len() as u64;
    for word in words {
        state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(MULTIPLIER).rotate_left(29);
    }
    let mut tail = 0;
    for &byte in rest {
        tail = tail << 8 | u64::from(byte);
    }
    let mixed = (state ^ tail).wrapping_mul(MULTIPLIER);
    (mixed >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_unpack_to_what_was_packed() {
        let row = EntryRow { name: 1, element: 0x0203, type_ref: NONE };
        assert_eq!(row.pack(), [1, 0, 3, 2, 0xFF, 0xFF]);
        assert_eq!(EntryRow::unpack(&row.pack()), row);
        let row = TypeRow {
            name: 1,
            base: 2,
            kind: 3,
            fields: 4,
            regex: 5,
            invariants: 6,
            uses_start: 7,
            uses_count: 0x0800,
        };
        assert_eq!(TypeRow::unpack(&row.pack()), row);
    }

    #[test]
    fn hash_tables_keep_a_third_free() {
        for names in 0..1000 {
            let slots = 1 << slots_log2(names);
            assert!(slots > names && slots * 2 >= names * 3, "{names}");
            assert!(slots <= 4 + names * 3, "{names}");
        }
    }

    #[test]
    fn hashes_tell_neighbours_apart() {
        let names =
            ["", "a", "b", "ab", "ba", "abcdefgh", "abcdefgi", "abcdefgha", "value", "valueCode", "\0"];
        let hashes: std::collections::BTreeSet<u32> = names.into_iter().map(hash).collect();
        assert_eq!(hashes.len(), names.len());
    }
}
