//! Query strings.

use percent_encoding::percent_decode_str;
use rulebook::{Failure, ParameterProblem};

/// The parameters of a URL, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d`. Percent-encoded bytes must be UTF-8; `+` is a space.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let mut pairs = Vec::new();
        for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self(pairs))
    }

    /// Takes out a parameter that may be given once.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let mut found = None;
        let mut repeated = false;
        self.0.retain_mut(|(candidate, value)| {
            if candidate != name {
                return true;
            }
            repeated |= found.replace(std::mem::take(value)).is_some();
            false
        });
        if repeated {
            let problem = ParameterProblem::Repeated;
            return Err(Failure::Parameter { name: name.to_owned(), problem });
        }
        Ok(found)
    }

    /// Adds parameters that were sent elsewhere.
    pub(crate) fn extend(&mut self, pairs: Vec<(String, String)>) {
        self.0.extend(pairs);
    }

    /// What there is.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// What is left.
    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }
}

impl From<Vec<(String, String)>> for Query {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }
}

fn decode(text: &str) -> Result<String, Failure> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| Failure::Parameter {
        name: text.chars().take(64).collect(),
        problem: ParameterProblem::Encoding,
    })?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_in_order_decoded() {
        let query =
            Query::parse(Some("_count=5&_since=2020-01-01T00%3A00%3A00%2B01:00&&flag&a+b=c+d")).unwrap();
        let expected =
            [("_count", "5"), ("_since", "2020-01-01T00:00:00+01:00"), ("flag", ""), ("a b", "c d")];
        assert_eq!(query.into_pairs(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(Query::parse(None).unwrap(), Query::default());
        assert!(Query::parse(Some("a=%ff")).is_err());
    }

    #[test]
    fn a_parameter_is_taken_once() {
        let mut query = Query::parse(Some("a=1&b=2&b=3")).unwrap();
        assert_eq!(query.take("a").unwrap().as_deref(), Some("1"));
        assert_eq!(query.take("a").unwrap(), None);
        assert!(query.take("b").is_err());
    }
}
