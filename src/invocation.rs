//! How the person got here, so that advice names commands that work where they are.

/// `./just create-admin` when `cargo run` started this process (so the person is in a clone, where nothing is on
/// the PATH), else `irongate create-admin`.
pub(crate) fn command(name: &str) -> String {
    let from_a_clone = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    format!("{} {name}", if from_a_clone { "./just" } else { "irongate" })
}

/// Says why the command ends, on standard error.
pub(crate) fn complain(why: &str) {
    use std::io::Write as _;
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr(), "irongate: {why}");
}

/// Says what a command found, on standard output.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    // A reader that went away (`irongate trust | head -1`) is no failure.
    let _ = writeln!(std::io::stdout(), "{text}");
}
