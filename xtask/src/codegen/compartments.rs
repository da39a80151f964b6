//! CompartmentDefinitions become lists of parameters per compartment and resource type.

use anyhow::{Result, ensure};

use super::model::{Compartment, Model};
use super::source::{CompartmentDefinition, CompartmentMember};

/// Fills [`Model::compartments`], sorted by type.
pub(super) fn add(model: &mut Model, definitions: &[CompartmentDefinition]) -> Result<()> {
    for definition in definitions.iter().filter(|definition| definition.id != "example") {
        ensure!(model.types.contains_key(&definition.code), "compartment {} has no type", definition.code);
        let members = definition.resource.iter().filter(|member| !member.param.is_empty());
        model.compartments.push(Compartment {
            type_name: definition.code.clone(),
            url: definition.url.clone(),
            members: members.map(|member| (member.code.clone(), parameters(member))).collect(),
        });
    }
    model.compartments.sort_by(|a, b| a.type_name.cmp(&b.type_name));
    Ok(())
}

/// The parameters that link a resource to the compartment. `{def}` is left out: it says that the resource that
/// the compartment is about belongs to it, which is so everywhere.
fn parameters(member: &CompartmentMember) -> Vec<String> {
    member.param.iter().filter(|name| *name != "{def}").cloned().collect()
}
