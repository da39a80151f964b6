//! The directory of the demonstration knows what an integrator's first requests need, and what is
//! refused in one of another form.

use rulebook::spine::Directory;

const NRL: [&str; 5] = ["read", "search", "create", "update", "delete"];
const FLAGS: [&str; 4] = ["Consent", "Flag", "Condition", "List"];

fn nrl(action: &str) -> String {
    format!("urn:nhs:names:services:nrl:DocumentReference.{action}")
}

fn flags(name: &str, verb: &str) -> String {
    format!("urn:nhs:names:services:raflags:{name}.{verb}:1")
}

#[test]
fn the_demonstration_knows_who_asks_first() {
    let demo = Directory::demo();
    assert_eq!(demo.spine_asid(), "999999999999");
    for (asid, organization) in [("200000000118", "RR8"), ("200000000205", "RXA"), ("200000000115", "AMS01")]
    {
        assert_eq!(demo.organization_of(asid), Some(organization));
        assert!(
            demo.is_affiliated(asid, organization) && demo.is_affiliated(asid, &organization.to_lowercase())
        );
        assert!(!demo.is_affiliated(asid, "RGD"));
        for action in NRL {
            let reads = matches!(action, "read" | "search");
            assert_eq!(demo.may(asid, &nrl(action)), reads || asid == "200000000118", "{asid} {action}");
        }
        for id in FLAGS.iter().flat_map(|name| ["read", "write"].map(|verb| flags(name, verb))) {
            assert_eq!(demo.may(asid, &id), asid == "200000000205", "{asid} {id}");
        }
    }
    assert!(demo.may("200000000205", &flags("removerarecord", "write")));
    assert!(!demo.may("200000000999", &nrl("read")));
    for code in ["RGD", "RR8", "RXA", "AMS01", "MHT01"] {
        assert!(demo.knows_organization(code) && demo.organization_name(code).is_some(), "{code}");
    }
    assert!(!demo.knows_organization("ZZZ"));
    for number in ["9876543210", "5900026175", "2686033207", "9000000009", "9000000017"] {
        assert!(demo.knows_patient(number), "{number}");
    }
    assert!(!demo.knows_patient("4010232137"));
}

#[test]
fn a_directory_of_another_form_is_refused_with_the_key() {
    const SPINE: &str = "spine_asid = \"999999999999\"\n";
    for (text, named) in [
        (String::new(), "spine_asid"),
        ("spine_asid = \"1\"".to_owned(), "spine_asid"),
        (format!("{SPINE}patients = [\"9876543211\"]"), "patients"),
        (format!("{SPINE}colour = \"red\""), "colour"),
        (format!("{SPINE}[[organization]]\ncode = \"R-1\""), "organization.code"),
        (
            format!("{SPINE}[[system]]\nasid = \"200000000118\"\norganization = \"RR8\"\ninteractions = []"),
            "system.organization",
        ),
        (
            format!(
                "{SPINE}[[organization]]\ncode = \"RR8\"\n[[system]]\nasid = \"2\"\norganization = \"RR8\"\ninteractions = []"
            ),
            "system.asid",
        ),
        (
            format!(
                "{SPINE}[[organization]]\ncode = \"RR8\"\n{0}{0}",
                "[[system]]\nasid = \"200000000118\"\norganization = \"RR8\"\ninteractions = []\n"
            ),
            "there twice",
        ),
    ] {
        let refused = Directory::from_toml(&text).expect_err(named).to_string();
        assert!(refused.contains(named), "{named}: {refused}");
    }
    let open = Directory::from_toml(SPINE).expect("a directory without patients");
    assert!(open.knows_patient("4010232137"), "then every patient is known");
}
