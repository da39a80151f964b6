//! The functions: one entry per function, from which parsing, evaluation and printing take name and arity.

/// Declares [`Function`] and the table of names and argument counts.
macro_rules! functions {
    ($($name:literal $variant:ident $min:literal..=$max:literal,)*) => {
        /// A function, known by name since the expression was parsed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Function { $($variant,)* }

        impl Function {
            const ALL: &[Function] = &[$(Function::$variant,)*];

            /// The name in expressions.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Function::$variant => $name,)* }
            }

            /// The fewest and the most arguments.
            pub(crate) const fn arity(self) -> (usize, usize) {
                match self { $(Function::$variant => ($min, $max),)* }
            }
        }
    };
}

functions! {
    // Existence
    "empty" Empty 0..=0,
    "exists" Exists 0..=1,
    "all" All 1..=1,
    "allTrue" AllTrue 0..=0,
    "anyTrue" AnyTrue 0..=0,
    "allFalse" AllFalse 0..=0,
    "anyFalse" AnyFalse 0..=0,
    "subsetOf" SubsetOf 1..=1,
    "supersetOf" SupersetOf 1..=1,
    "count" Count 0..=0,
    "distinct" Distinct 0..=0,
    "isDistinct" IsDistinct 0..=0,
    "not" Not 0..=0,
    // Filtering, projection and order
    "where" Where 1..=1,
    "select" Select 1..=1,
    "repeat" Repeat 1..=1,
    "sort" Sort 0..=8,
    "aggregate" Aggregate 1..=2,
    "iif" Iif 2..=3,
    // Subsetting and combining
    "single" Single 0..=0,
    "first" First 0..=0,
    "last" Last 0..=0,
    "tail" Tail 0..=0,
    "skip" Skip 1..=1,
    "take" Take 1..=1,
    "intersect" Intersect 1..=1,
    "exclude" Exclude 1..=1,
    "union" Union 1..=1,
    "combine" Combine 1..=1,
    // Conversion
    "toBoolean" ToBoolean 0..=0,
    "toInteger" ToInteger 0..=0,
    "toDecimal" ToDecimal 0..=0,
    "toString" ToString 0..=0,
    "toDate" ToDate 0..=0,
    "toDateTime" ToDateTime 0..=0,
    "toTime" ToTime 0..=0,
    "toQuantity" ToQuantity 0..=1,
    "convertsToBoolean" ConvertsToBoolean 0..=0,
    "convertsToInteger" ConvertsToInteger 0..=0,
    "convertsToDecimal" ConvertsToDecimal 0..=0,
    "convertsToString" ConvertsToString 0..=0,
    "convertsToDate" ConvertsToDate 0..=0,
    "convertsToDateTime" ConvertsToDateTime 0..=0,
    "convertsToTime" ConvertsToTime 0..=0,
    "convertsToQuantity" ConvertsToQuantity 0..=1,
    // Text
    "indexOf" IndexOf 1..=1,
    "lastIndexOf" LastIndexOf 1..=1,
    "substring" Substring 1..=2,
    "startsWith" StartsWith 1..=1,
    "endsWith" EndsWith 1..=1,
    "contains" Contains 1..=1,
    "upper" Upper 0..=0,
    "lower" Lower 0..=0,
    "replace" Replace 2..=2,
    "matches" Matches 1..=1,
    "matchesFull" MatchesFull 1..=1,
    "replaceMatches" ReplaceMatches 2..=2,
    "length" Length 0..=0,
    "toChars" ToChars 0..=0,
    "trim" Trim 0..=0,
    "split" Split 1..=1,
    "join" Join 0..=1,
    "encode" Encode 1..=1,
    "decode" Decode 1..=1,
    "escape" Escape 1..=1,
    "unescape" Unescape 1..=1,
    // Mathematics
    "abs" Abs 0..=0,
    "ceiling" Ceiling 0..=0,
    "exp" Exp 0..=0,
    "floor" Floor 0..=0,
    "ln" Ln 0..=0,
    "log" Log 1..=1,
    "power" Power 1..=1,
    "round" Round 0..=1,
    "sqrt" Sqrt 0..=0,
    "truncate" Truncate 0..=0,
    // Precision
    "lowBoundary" LowBoundary 0..=1,
    "highBoundary" HighBoundary 0..=1,
    "precision" Precision 0..=0,
    "comparable" Comparable 1..=1,
    // The tree
    "children" Children 0..=0,
    "descendants" Descendants 0..=0,
    "type" Type 0..=0,
    // Utility
    "trace" Trace 1..=2,
    "now" Now 0..=0,
    "today" Today 0..=0,
    "timeOfDay" TimeOfDay 0..=0,
    // FHIR
    "extension" Extension 1..=1,
    "hasExtension" HasExtension 1..=1,
    "hasValue" HasValue 0..=0,
    "getValue" GetValue 0..=0,
    "resolve" Resolve 0..=0,
    "memberOf" MemberOf 1..=1,
    "subsumes" Subsumes 1..=1,
    "subsumedBy" SubsumedBy 1..=1,
    "conformsTo" ConformsTo 1..=1,
    "htmlChecks" HtmlChecks 0..=0,
}

impl Function {
    /// The function of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        // STU3 writes its only use of this one in lower case.
        let name = if name == "htmlchecks" { "htmlChecks" } else { name };
        Self::ALL.iter().copied().find(|function| function.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name() {
        for &function in Function::ALL {
            assert_eq!(Function::named(function.name()), Some(function));
            let (min, max) = function.arity();
            assert!(min <= max);
        }
        assert_eq!(Function::named("htmlchecks"), Some(Function::HtmlChecks));
        assert_eq!(Function::named("Where"), None);
    }
}
