//! That what is written about the tree and beside it fits the tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md"].map(|name| root.join(name)).into();
    documents.extend(fs::read_dir(root.join("docs")).unwrap().flatten().map(|entry| entry.path()));
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));

    let mut dead = Vec::new();
    for document in &documents {
        let text = fs::read_to_string(document).unwrap();
        for link in local_links(&text) {
            if !document.parent().unwrap().join(link).exists() {
                dead.push(format!("{}: {link}", document.strip_prefix(root).unwrap().display()));
            }
        }
    }

    assert!(dead.is_empty(), "links to nothing:\n{}", dead.join("\n"));
}

#[test]
fn the_images_build_every_crate_of_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();

    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
    let members: Vec<String> = serde_json::from_str(members).unwrap();
    let missing: Vec<_> = members
        .iter()
        .filter(|member| *member != ".")
        .filter(|member| !dockerfile.contains(&format!("COPY {member}/Cargo.toml {member}/\n")))
        .collect();

    assert!(missing.is_empty(), "the Dockerfile copies no manifest of {missing:?}");
}

/// Targets of `[text](target)` that are files of this repository, without their `#fragment`.
fn local_links(markdown: &str) -> impl Iterator<Item = &str> {
    let targets = markdown.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#') && !target.contains(' '))
        .map(|target| target.split('#').next().unwrap_or(target))
}
