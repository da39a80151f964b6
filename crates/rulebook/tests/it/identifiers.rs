//! Numbers and codes as they are published, good and bad.

use rulebook::spine::identifiers::{
    is_asid, is_nhs_number, is_ods_code, organization_code, patient_number, value_of,
};

#[test]
fn nhs_numbers_have_their_check_digit() {
    for number in [
        "9876543210",
        "5900026175",
        "2686033207",
        "1020103620",
        "3656987882",
        "4010232137",
        "9449306753",
        "9449303959",
        "9449305552",
        "9912003888",
        "9000000009",
        "9000000017",
        "9000000025",
        "9000000033",
        "4000000004",
        "9999999999",
        "0000000000",
        "1111111111",
        "2222222222",
    ] {
        assert!(is_nhs_number(number), "{number}");
        let last = number.chars().last().and_then(|digit| digit.to_digit(10)).expect("a digit");
        for other in (0..10).filter(|other| *other != last) {
            assert!(!is_nhs_number(&format!("{}{other}", &number[..9])), "{number} with {other}");
        }
    }
    for number in [
        "6101231234",
        "9876543211",
        "9876543213",
        "9000000001",
        "2345678901",
        "4343434234",
        "1234567890",
        "999999998",
        "98765432101",
        "987 654 3210",
        "987-654-3210",
        "987654321O",
        "\u{0669}876543210",
        "",
    ] {
        assert!(!is_nhs_number(number), "{number}");
    }
}

#[test]
fn codes_have_their_forms() {
    for code in
        ["RGD", "RR8", "RXA", "X09", "D82106", "AMS01", "MHT01", "00003X", "1XR", "a3e5i7", "TESTV349"]
    {
        assert!(is_ods_code(code), "{code}");
    }
    for code in ["", "RX", "R-1", "RXA ", "ABCDEFGHIJKLM"] {
        assert!(!is_ods_code(code), "{code}");
    }
    for asid in ["200000000205", "123456123456", "987654456789"] {
        assert!(is_asid(asid), "{asid}");
    }
    for asid in ["", "20000000017", "2000000002055", "20000000020X"] {
        assert!(!is_asid(asid), "{asid}");
    }
}

#[test]
fn claims_and_urls_are_taken_apart() {
    const SYSTEM: &str = "https://fhir.nhs.uk/Id/accredited-system";
    assert_eq!(value_of("https://fhir.nhs.uk/Id/accredited-system|1", SYSTEM), Some("1"));
    for claim in
        ["https://fhir.nhs.uk/Id/accredited-system/1", "https://fhir.nhs.uk/Id/accredited-system|", "|1", "1"]
    {
        assert_eq!(value_of(claim, SYSTEM), None, "{claim}");
    }
    let patient = "demographics.spineservices.nhs.uk/STU3/Patient/9876543210";
    assert_eq!(patient_number(&format!("https://{patient}")), Some("9876543210"));
    assert_eq!(patient_number(patient), Some("9876543210"), "published examples leave the scheme out");
    assert_eq!(patient_number(&format!("http://{patient}")), None);
    let organization = "directory.spineservices.nhs.uk/STU3/Organization/RXA";
    assert_eq!(organization_code(&format!("https://{organization}")), Some("RXA"));
    assert_eq!(organization_code(organization), None);
}
