//! Embeds the dashboard: every file under `assets/admin/` as a table in the binary, but what is for the type checker alone.

use std::{env, fmt::Write as _, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=assets/admin");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("assets/admin");
    let mut table = String::from("pub(super) const FILES: &[(&str, &[u8])] = &[\n");
    let mut names: Vec<_> = fs::read_dir(&root)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file() && !entry.file_name().as_encoded_bytes().ends_with(b".d.ts"))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    for name in names {
        let path = root.join(&name);
        let _ = writeln!(table, "    ({name:?}, include_bytes!({path:?})),");
    }
    table.push_str("];\n");
    let out = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("dashboard.rs");
    if let Err(error) = fs::write(&out, table) {
        panic!("{}: {error}", out.display());
    }
}
