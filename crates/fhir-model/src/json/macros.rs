//! Short ways to write trees in code.

/// An [`Object`](crate::json::Object) from names and values that convert into
/// [`Value`](crate::json::Value).
///
/// ```
/// use fhir_model::{array, object};
///
/// let flag = object! {
///     "resourceType": "Flag",
///     "status": "active",
///     "code": object! { "coding": array![object! { "code": "RA" }], "text": "Needs a ramp" },
/// };
/// assert_eq!(flag.to_string(), r#"{"resourceType":"Flag","status":"active","code":{"coding":[{"code":"RA"}],"text":"Needs a ramp"}}"#);
/// ```
#[macro_export]
macro_rules! object {
    ($($name:literal : $value:expr),* $(,)?) => {{
        #[allow(unused_mut, reason = "an object without members is not changed")]
        let mut object = $crate::json::Object::new();
        $(object.insert($name, $value);)*
        object
    }};
}

/// A [`Value`](crate::json::Value) that is an array of values that convert into `Value`.
#[macro_export]
macro_rules! array {
    ($($value:expr),* $(,)?) => {
        $crate::json::Value::Array(vec![$($crate::json::Value::from($value)),*])
    };
}
