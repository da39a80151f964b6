//! Which elements and attributes narratives may have: the lists of rule `txt-1` as published, which are the same in
//! all versions.

/// The elements that FHIR allows.
pub(super) fn is_element(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "acronym"
            | "b"
            | "big"
            | "blockquote"
            | "br"
            | "caption"
            | "cite"
            | "code"
            | "col"
            | "colgroup"
            | "dd"
            | "dfn"
            | "div"
            | "dl"
            | "dt"
            | "em"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "hr"
            | "i"
            | "img"
            | "li"
            | "ol"
            | "p"
            | "pre"
            | "q"
            | "samp"
            | "small"
            | "span"
            | "strong"
            | "sub"
            | "sup"
            | "table"
            | "tbody"
            | "td"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
            | "tt"
            | "ul"
            | "var"
    )
}

/// Elements that load or run something, or take input. HTML readers ignore case, so it is ignored here.
pub(super) fn is_active_element(name: &str) -> bool {
    const ACTIVE: [&str; 24] = [
        "applet", "audio", "base", "body", "button", "embed", "form", "frame", "frameset", "head", "html",
        "iframe", "input", "link", "math", "meta", "object", "script", "select", "style", "svg", "template",
        "textarea", "video",
    ];
    // Nearly every name is one of the allowed ones, which are short.
    name.len() > 2 && ACTIVE.iter().any(|active| name.eq_ignore_ascii_case(active))
}

/// The attributes that FHIR allows, and `xml:lang`, which XHTML writes for `lang`.
pub(super) fn is_attribute(name: &str) -> bool {
    matches!(
        name,
        "abbr"
            | "accesskey"
            | "align"
            | "alt"
            | "axis"
            | "bgcolor"
            | "border"
            | "cellhalign"
            | "cellpadding"
            | "cellspacing"
            | "cellvalign"
            | "char"
            | "charoff"
            | "charset"
            | "cite"
            | "class"
            | "colspan"
            | "compact"
            | "coords"
            | "dir"
            | "frame"
            | "headers"
            | "height"
            | "href"
            | "hreflang"
            | "hspace"
            | "id"
            | "lang"
            | "longdesc"
            | "name"
            | "nowrap"
            | "rel"
            | "rev"
            | "rowspan"
            | "rules"
            | "scope"
            | "shape"
            | "span"
            | "src"
            | "start"
            | "style"
            | "summary"
            | "tabindex"
            | "title"
            | "type"
            | "valign"
            | "value"
            | "vspace"
            | "width"
            | "xml:lang"
    )
}

/// Attributes that run a script on an event.
pub(super) fn is_event(name: &str) -> bool {
    matches!(name.as_bytes(), [b'o' | b'O', b'n' | b'N', _, ..])
}
