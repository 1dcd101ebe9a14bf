# One image per program: `docker build --target gateway .`, or auth-svc, user-svc, chat-svc. compose.yaml uses these.

FROM rust:1.95-bookworm AS build
# cmake: zlib-ng and aws-lc. libssl-dev: PostgreSQL over TLS, which only these images have.
RUN apt-get update && apt-get install -y --no-install-recommends cmake libssl-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src

# The dependencies alone, over empty crates: this layer is built again only when a manifest changes.
COPY Cargo.toml Cargo.lock ./
COPY gateway/Cargo.toml gateway/
COPY auth-svc/Cargo.toml auth-svc/
COPY user-svc/Cargo.toml user-svc/
COPY chat-svc/Cargo.toml chat-svc/
COPY shared/Cargo.toml shared/
COPY tests/servers/Cargo.toml tests/servers/
COPY tests/identity/Cargo.toml tests/identity/
RUN for crate in . gateway auth-svc user-svc chat-svc shared tests/servers tests/identity; do \
        mkdir -p $crate/src && touch $crate/src/lib.rs && echo 'fn main() {}' > $crate/src/main.rs; \
    done && mkdir -p tests && touch tests/main.rs && \
    cargo build --release --locked --workspace --features irongate-shared/pg-tls

COPY . .
# Cargo goes by times, and the sources may be older than the empty crates.
RUN find . -name '*.rs' -exec touch {} + && \
    cargo build --release --locked --workspace --bins --features irongate-shared/pg-tls

FROM debian:bookworm-slim AS runtime
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libssl3 && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin irongate && \
    install -d -o irongate -m 700 /data /secrets
# Says whether an address of this container answers /health/live: `alive 7001`.
COPY deploy/alive /usr/local/bin/alive
USER irongate
WORKDIR /srv
ENV IRONGATE_DATA=/data IRONGATE_SECRETS=/secrets IRONGATE_LOG_FORMAT=json

FROM runtime AS gateway
COPY gateway.toml .
COPY static static
COPY --from=build /src/target/release/irongate-gateway /usr/local/bin/
CMD ["irongate-gateway"]

FROM runtime AS auth-svc
COPY --from=build /src/target/release/irongate-auth-svc /usr/local/bin/
CMD ["irongate-auth-svc"]

FROM runtime AS user-svc
COPY --from=build /src/target/release/irongate-user-svc /usr/local/bin/
CMD ["irongate-user-svc"]

FROM runtime AS chat-svc
COPY --from=build /src/target/release/irongate-chat-svc /usr/local/bin/
CMD ["irongate-chat-svc"]

# The command itself, for `irongate create-admin` beside a running system.
FROM runtime AS irongate
COPY --from=build /src/target/release/irongate /usr/local/bin/
ENTRYPOINT ["irongate"]
