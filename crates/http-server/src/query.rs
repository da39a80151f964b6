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

    /// Takes out `_summary=count`, if it is the only summary asked for.
    pub(crate) fn takes_count(&mut self) -> bool {
        let mut summaries = self.0.iter().filter(|(name, _)| name == "_summary");
        let counts =
            summaries.next().is_some_and(|(_, value)| value == "count") && summaries.next().is_none();
        if counts {
            self.0.retain(|(name, _)| name != "_summary");
        }
        counts
    }

    /// Adds a parameter.
    pub(crate) fn put(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
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
