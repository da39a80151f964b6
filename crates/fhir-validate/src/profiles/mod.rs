//! Profiles: StructureDefinitions that are loaded at run time and constrain what the base definitions allow
//! (FHIR, section "Profiling FHIR").

mod apply;
mod compile;
mod node;
mod slices;
mod value_sets;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use fhir_definitions::{Definitions, FhirVersion, TypeDef};
use fhir_model::json::{self, Limits, Value};
use fhir_model::xml;

use self::compile::Compiler;
use self::node::Profile;
use self::value_sets::{Terminology, ValueSet, without_version};

pub(crate) use self::apply::Subject;

/// How the canonical URLs of the specification's own definitions start.
const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

/// Profiles of one FHIR version, with the value sets that came with them. Cloning shares them.
///
/// What is checked: cardinalities, fixed values and patterns, the types of choices, reference targets, required and
/// extensible bindings to value sets whose codes can be listed, slices told apart by values or by the url of an
/// extension, and rules in FHIRPath. What cannot be checked is said when they are loaded: [`Profiles::notes`].
///
/// ```
/// use fhir_definitions::{Definitions, FhirVersion};
/// use fhir_model::json::{Limits, parse};
/// use fhir_validate::{Profiles, Settings, validate};
///
/// let r4 = Definitions::of(FhirVersion::R4);
/// let profile = br#"{"resourceType": "StructureDefinition", "url": "http://example.org/flag", "type": "Flag",
///     "differential": {"element": [{"path": "Flag.period", "min": 1, "max": "1"}]}}"#;
/// let profiles = Profiles::from_files(r4, [("flag.json".to_owned(), profile.to_vec())])?;
///
/// let flag = br#"{"resourceType": "Flag", "meta": {"profile": ["http://example.org/flag"]}, "status": "active",
///     "code": {"text": "ramp"}, "subject": {"reference": "Patient/1"}}"#;
/// let settings = Settings { profiles, ..Settings::default() };
/// let findings = validate(&parse(flag, &Limits::default())?, r4, &settings);
/// assert_eq!(findings[0].to_string(), "Flag: the profile http://example.org/flag wants the element period: add it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Profiles(Arc<Loaded>);

#[derive(Default)]
pub(crate) struct Loaded {
    version: Option<FhirVersion>,
    by_url: BTreeMap<String, Arc<Profile>>,
    value_sets: HashMap<String, ValueSet>,
    notes: Vec<ProfileNote>,
}

/// Something in a StructureDefinition that is not checked, or why it is not used at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileNote {
    /// The file or the URL.
    pub source: String,
    /// What is not checked, in a sentence.
    pub message: String,
}

/// A file that should hold a resource and cannot be read as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfilesError {
    /// The name of the file.
    pub file: String,
    /// What is wrong with it, in a sentence.
    pub message: String,
}

impl Profiles {
    /// No profiles.
    pub fn none() -> Self {
        Self::default()
    }

    /// The profiles and value sets among the files of a folder or package, given by name and content: JSON and XML by
    /// the ends of their names. Files of other kinds are passed over, as is JSON that is no resource, which every
    /// package has.
    pub fn from_files(
        definitions: Definitions,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Self, ProfilesError> {
        let mut resources = Vec::new();
        for (file, bytes) in files {
            let tree = match file.rsplit_once('.').map(|(_, end)| end) {
                Some("json") => json::parse(&bytes, &Limits::default()).map_err(|error| error.to_string()),
                Some("xml") => {
                    xml::parse(&bytes, definitions, &Limits::default()).map_err(|error| error.to_string())
                }
                _ => continue,
            };
            match tree {
                Ok(tree) => resources.push((file, tree)),
                Err(message) => return Err(ProfilesError { file, message }),
            }
        }
        Ok(Self::from_resources(definitions, resources))
    }

    /// The profiles and value sets among these resources, each with a name for notes; others are passed over.
    pub fn from_resources(
        definitions: Definitions,
        resources: impl IntoIterator<Item = (String, Value)>,
    ) -> Self {
        let resources: Vec<(String, Value)> = resources.into_iter().collect();
        let text =
            |resource: &'_ Value, name: &str| resource.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut loaded = Loaded { version: Some(definitions.version()), ..Loaded::default() };
        let mut terminology = Terminology::default();
        let mut types_by_url = HashMap::new();
        for (_, resource) in &resources {
            let named = |name: &str| resource.get(name).and_then(Value::as_str);
            let Some(url) = named("url").map(without_version) else { continue };
            match named("resourceType") {
                Some("ValueSet") => drop(terminology.value_sets.insert(url, resource)),
                Some("CodeSystem") => drop(terminology.code_systems.insert(url, resource)),
                Some("StructureDefinition") => {
                    types_by_url.insert(url, named("type").unwrap_or_default());
                }
                _ => {}
            }
        }
        for (source, resource) in &resources {
            if text(resource, "resourceType").as_deref() != Some("StructureDefinition") {
                continue;
            }
            let mut compiler = Compiler { definitions, types_by_url: &types_by_url, notes: Vec::new() };
            let profile = compiler.profile(resource);
            let mut notes = compiler.notes;
            match profile {
                Ok(profile) => drop(loaded.by_url.insert(profile.url.clone(), Arc::new(profile))),
                Err(why) => notes.push(format!("it is not used: {why}")),
            }
            loaded.note(source, notes);
        }
        loaded.value_sets = terminology.expand(definitions);
        loaded.complete(definitions);
        Self(Arc::new(loaded))
    }

    /// These and others of the same FHIR version. Where both have a profile or a value set, these do.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        if others.0.by_url.is_empty() || self.0.version.is_some_and(|own| others.0.version != Some(own)) {
            return self.clone();
        }
        let mut by_url = others.0.by_url.clone();
        by_url.extend(self.0.by_url.iter().map(|(url, profile)| (url.clone(), profile.clone())));
        let mut value_sets = others.0.value_sets.clone();
        value_sets.extend(self.0.value_sets.iter().map(|(url, set)| (url.clone(), set.clone())));
        let notes = self.0.notes.iter().chain(&others.0.notes).cloned().collect();
        Self(Arc::new(Loaded { version: others.0.version, by_url, value_sets, notes }))
    }

    /// The canonical URLs of the profiles, sorted.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.0.by_url.keys().map(String::as_str)
    }

    /// Whether this profile is loaded; a version behind a bar is ignored.
    pub fn contains(&self, url: &str) -> bool {
        self.0.get(url).is_some()
    }

    /// The type that a loaded profile constrains; a version behind a bar of its URL is ignored.
    pub fn type_name(&self, url: &str) -> Option<&str> {
        self.0.get(url).map(|profile| profile.type_name.as_str())
    }

    /// Whether a loaded profile can be applied to resources of a type: it constrains it, or a type that it derives from.
    pub fn constrains(&self, url: &str, type_def: TypeDef) -> bool {
        self.type_name(url).is_some_and(|name| type_def.lineage().any(|known| known.name() == name))
    }

    /// What is not checked of what was loaded.
    pub fn notes(&self) -> &[ProfileNote] {
        &self.0.notes
    }

    /// Whether there is none for this version.
    pub(crate) fn is_empty_for(&self, version: FhirVersion) -> bool {
        self.0.by_url.is_empty() || self.0.version != Some(version)
    }
}

impl Loaded {
    fn get(&self, url: &str) -> Option<&Profile> {
        self.by_url.get(without_version(url)).map(|profile| &**profile)
    }

    fn note(&mut self, source: &str, mut messages: Vec<String>) {
        messages.sort();
        messages.dedup();
        let notes = messages.into_iter().map(|message| ProfileNote { source: source.to_owned(), message });
        self.notes.extend(notes);
    }

    /// Adds the value sets of the specification that the profiles name, and notes what they name and nobody has.
    fn complete(&mut self, definitions: Definitions) {
        let mut found = Vec::new();
        for profile in self.by_url.values() {
            let mut messages = Vec::new();
            if let Some(base) = profile.base.as_ref().filter(|base| !self.by_url.contains_key(*base)) {
                messages.push(format!("its base {base} is not loaded, so only what it adds is checked"));
            }
            profile.root.for_each(&mut |node| {
                let Some(binding) = &node.binding else { return };
                let url = &binding.value_set;
                if let Some(set) = value_sets::published(url, definitions) {
                    self.value_sets.entry(url.clone()).or_insert(set);
                } else if !self.value_sets.contains_key(url) {
                    messages.push(format!("the value set {url} is not known, so its codes are not checked"));
                }
            });
            found.push((profile.url.clone(), messages));
        }
        for (url, messages) in found {
            self.note(&url, messages);
        }
    }
}

impl fmt::Debug for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.urls()).finish()
    }
}

impl PartialEq for Profiles {
    /// Whether they were loaded together; two that are empty are equal.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.by_url.is_empty() && other.0.by_url.is_empty())
    }
}

impl Eq for Profiles {}

impl fmt::Display for ProfileNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.message)
    }
}

impl fmt::Display for ProfilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.message)
    }
}

impl std::error::Error for ProfilesError {}
