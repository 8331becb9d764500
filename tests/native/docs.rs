//! The tables of `docs/methods.md` and `docs/models.md` are made from the registries.
//! `UPDATE=1 cargo test --test native docs` writes them.

use sightline::methods::{Kind, METHODS, OptionSpec, Space};
use sightline::nn::families::FAMILIES;

use crate::common::root;

/// The option's id and its default.
fn option(spec: &OptionSpec) -> String {
    let default = match spec.kind {
        Kind::Integer { default: Some(default), .. } => default.to_string(),
        Kind::Integer { .. } => "automatic".into(),
        Kind::Number { default, .. } => default.to_string(),
        Kind::Choice { default, .. } | Kind::Baseline { default, .. } => default.into(),
        Kind::Boolean { default } => default.to_string(),
        Kind::Tensor { shape } => format!("drawn; {shape}"),
    };
    format!("`{}` ({default})", spec.id)
}

fn methods() -> String {
    let mut out = String::from("| method | what it asks | result | options | source |\n|---|---|---|---|---|\n");
    for m in METHODS.iter().map(|m| m.spec) {
        let options: Vec<String> = m.options.iter().map(option).collect();
        let options = if options.is_empty() { "none".into() } else { options.join(", ") };
        out += &format!(
            "| `{}` | {} | `{}`, {} space | {options} | {}, {}{} |\n",
            m.id,
            m.summary,
            m.shape,
            if m.space == Space::Layer { "layer" } else { "input" },
            m.citation,
            if m.arxiv.starts_with("10.") { "doi " } else { "arXiv " },
            m.arxiv
        );
    }
    out
}

fn families() -> String {
    let mut out = String::from("| family | architectures | default layer | checked against |\n|---|---|---|---|\n");
    for f in FAMILIES {
        let names = f.names.join("`, `");
        out += &format!("| {} | `{names}` | {} | {} |\n", f.title, f.default_layer, f.checked_against);
    }
    out
}

#[test]
fn the_tables_are_those_of_the_registries() {
    let (begin, end) = ("<!-- tables: begin -->\n", "<!-- tables: end -->");
    for (file, table) in [("docs/methods.md", methods()), ("docs/models.md", families())] {
        let path = root(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{file} has no {begin}"));
        let (old, tail) = rest.split_once(end).unwrap_or_else(|| panic!("{file} has no {end}"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
        } else {
            assert_eq!(old, table, "{file}: run UPDATE=1 cargo test --test native docs");
        }
    }
}
