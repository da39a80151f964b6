//! A directory of systems, organisations and patients.

#[derive(Clone, Debug)]
pub(crate) struct Directory;

impl Directory {
    pub(crate) fn demo() -> Self {
        Self
    }
    pub(crate) fn has_organisation(&self, code: &str) -> bool {
        ["RGD", "RR8", "RXA", "AMS01", "MHT01"].contains(&code)
    }
    pub(crate) fn is_affiliated(&self, asid: &str, code: &str) -> bool {
        [("200000000118", "RR8"), ("200000000205", "RXA"), ("200000000115", "AMS01")].contains(&(asid, code))
    }
    pub(crate) fn has_patient(&self, nhs: &str) -> bool {
        ["9876543210", "5900026175", "2686033207", "9000000009", "9000000017"].contains(&nhs)
    }
}

pub(crate) mod nhs_number {
    pub(crate) fn is_valid(text: &str) -> bool {
        let digits: Vec<u32> = text.chars().filter_map(|char| char.to_digit(10)).collect();
        if text.len() != 10 || digits.len() != 10 {
            return false;
        }
        let sum: u32 = digits.iter().zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
        (11 - sum % 11) % 11 == digits[9]
    }
}
