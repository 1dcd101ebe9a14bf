# `./just` runs these without anything installed but Rust; with `just` installed, `just` does the same.
# A recipe of plain shell lines, each of which stands alone, spares a newcomer the wait for `just` (see ./just).

set positional-arguments

_list:
    @{{ just_executable() }} --list --unsorted

# Build and start everything, then open https://localhost:8443
up *arguments:
    cargo run --profile quick -- up "$@"

# Stop what `up` started
down:
    "${CARGO_TARGET_DIR:-target}/quick/irongate" down

# Register an administrator, for the dashboard
create-admin *arguments:
    cargo run --quiet --profile quick -- create-admin "$@"

# Say what makes browsers trust the local certificate authority; --install does it
trust *arguments:
    cargo run --quiet --profile quick -- trust "$@"

# Run all tests, with private PostgreSQL and Redis servers and a headless Chromium
test *arguments:
    cargo test --workspace --no-fail-fast "$@"

# Take the pictures of every view in docs/screenshots anew
screenshots:
    IRONGATE_SCREENSHOTS="$PWD/docs/screenshots" cargo test --package irongate --test system browser::tour::no_view_has_a_barrier

# Try for minutes to prove that the chat loses something: CHAOS_SECONDS=300 on PostgreSQL behind the gateway, and on SQLite
chaos:
    cargo build --quiet --package irongate-gateway
    CHAOS_SECONDS="${CHAOS_SECONDS:-300}" cargo test --package irongate-chat-svc --test it lossless -- --nocapture

# Try under oha's load that no request is lost: reloads, a new certificate, a new binary, servers that come and go
lossless:
    test -x target/tools/bin/oha || cargo install --locked --root target/tools oha
    IRONGATE_OHA="$PWD/target/tools/bin/oha" cargo test --package irongate-gateway --test it lossless:: -- --nocapture --test-threads 1

# Put the gateway beside NGINX and others; `--help` says what can be chosen
bench *arguments:
    cargo run --quiet --release --package irongate-bench -- "$@"

# Check formatting, lints, documentation and the types of the browser side
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items
    tests/frontend/install
    target/tools/frontend/node_modules/.bin/tsc --project tests/frontend/tsconfig.json

# Format the code
fmt:
    cargo fmt --all

# Start everything in containers, on PostgreSQL and Redis, at https://localhost
compose-up *arguments:
    deploy/compose up --build --detach "$@"

# Stop the containers; their data stay
compose-down *arguments:
    deploy/compose down "$@"

# Stop, and delete what the embedded system keeps: accounts, messages, keys, certificates
clean-data:
    if [ -d data ]; then "${CARGO_TARGET_DIR:-target}/quick/irongate" down; fi
    rm -rf data

# Look for known holes, licences and sources that we do not allow, among all dependencies
audit:
    test -x target/tools/bin/cargo-deny || cargo install --locked --root target/tools cargo-deny
    target/tools/bin/cargo-deny check
