//! The tables of docs/methods.md and docs/models.md come from the registries. `UPDATE=1 cargo test
//! --test native docs` writes them.

use sightline::methods::{Kind, METHODS};
use sightline::nn::families::FAMILIES;

fn methods() -> String {
    let mut out = String::from("| method | what it asks | result | options | source |\n|---|---|---|---|---|\n");
    for m in METHODS.iter().map(|m| m.spec) {
        let option = |o: &sightline::methods::OptionSpec| match o.kind {
            Kind::Integer { default: Some(d), .. } => format!("`{}` ({d})", o.id),
            Kind::Integer { .. } => format!("`{}` (automatic)", o.id),
            Kind::Number { default, .. } => format!("`{}` ({default})", o.id),
            Kind::Choice { default, .. } | Kind::Baseline { default, .. } => format!("`{}` ({default})", o.id),
            Kind::Boolean { default } => format!("`{}` ({default})", o.id),
            Kind::Tensor { shape } => format!("`{}` (drawn; {shape})", o.id),
        };
        let options: Vec<String> = m.options.iter().map(option).collect();
        let options = if options.is_empty() { "none".into() } else { options.join(", ") };
        out += &format!(
            "| `{}` | {} | `{}`, {} space | {options} | {}, {}{} |\n",
            m.id,
            m.summary,
            m.shape,
            if m.space == sightline::methods::Space::Layer { "layer" } else { "input" },
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
        out += &format!("| {} | `{}` | {} | {} |\n", f.title, f.names.join("`, `"), f.default_layer, f.checked_against);
    }
    out
}

#[test]
fn the_tables_are_those_of_the_registries() {
    let (begin, end) = ("<!-- tables: begin -->\n", "<!-- tables: end -->");
    for (name, table) in [("methods", methods()), ("models", families())] {
        let path = format!("{}/docs/{name}.md", env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = page.split_once(begin).unwrap();
        let (old, tail) = rest.split_once(end).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
        } else {
            assert_eq!(old, table, "{name}.md: run UPDATE=1 cargo test --test native docs");
        }
    }
}
