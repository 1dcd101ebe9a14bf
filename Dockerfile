# One image per program: `docker build --target gateway .`, or auth-svc, user-svc, chat-svc, irongate. compose.yaml uses
# them. All five come from one build, so they share its layers; nothing here needs BuildKit.

FROM rust:1.95-slim-bookworm AS build
# cmake: zlib-ng and aws-lc. libssl-dev: PostgreSQL over TLS, which only these images have.
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates cmake libssl-dev make pkg-config && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
# `quick` compiles in a third of the time, for trials.
ARG PROFILE=release
ENV BUILD="cargo build --locked --profile ${PROFILE} --bins --features irongate-shared/pg-tls -p irongate \
    -p irongate-gateway -p irongate-auth-svc -p irongate-user-svc -p irongate-chat-svc"

# The dependencies alone, over empty crates: this layer is built again only when a manifest changes.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY gateway/Cargo.toml gateway/
COPY auth-svc/Cargo.toml auth-svc/
COPY user-svc/Cargo.toml user-svc/
COPY chat-svc/Cargo.toml chat-svc/
COPY shared/Cargo.toml shared/
COPY tests/servers/Cargo.toml tests/servers/
COPY tests/identity/Cargo.toml tests/identity/
COPY bench/Cargo.toml bench/
RUN for crate in gateway auth-svc user-svc chat-svc shared tests/servers tests/identity bench; do \
        mkdir -p $crate/src && touch $crate/src/lib.rs; \
    done && \
    for crate in . gateway auth-svc user-svc chat-svc bench; do \
        mkdir -p $crate/src && echo 'fn main() {}' >$crate/src/main.rs; \
    done && \
    $BUILD

COPY src src
COPY gateway gateway
COPY auth-svc auth-svc
COPY user-svc user-svc
COPY chat-svc chat-svc
COPY shared shared
COPY migrations migrations
# Cargo goes by times, and the sources may be older than the empty crates.
RUN find . -name '*.rs' -not -path './target/*' -exec touch {} + && $BUILD

# Everything a program needs and nothing else: no shell, no package manager. `ldd` names the libraries; name resolution
# is part of libc.
RUN mkdir -p /root-fs/etc/ssl/certs /root-fs/usr/local/bin /owned/data /owned/secrets /owned/authority && \
    chmod 700 /owned/data /owned/secrets && \
    cp target/${PROFILE}/irongate target/${PROFILE}/irongate-gateway target/${PROFILE}/irongate-auth-svc \
        target/${PROFILE}/irongate-user-svc target/${PROFILE}/irongate-chat-svc /usr/local/bin/ && \
    ldd /usr/local/bin/irongate* | grep -o '/[^ ]*\.so[^ ]*' | sort -u | xargs cp --parents -Lt /root-fs && \
    cp /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/ && \
    echo 'hosts: files dns' >/root-fs/etc/nsswitch.conf && \
    echo 'irongate:x:10001:10001::/data:/nonexistent' >/root-fs/etc/passwd && \
    echo 'irongate:x:10001:' >/root-fs/etc/group

FROM scratch AS runtime
COPY --from=build /root-fs /
COPY --from=build --chown=10001:10001 /owned /
USER 10001:10001
WORKDIR /srv
# OpenSSL, which talks to PostgreSQL, looks elsewhere by itself.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ENV PATH=/usr/local/bin IRONGATE_DATA=/data IRONGATE_SECRETS=/secrets IRONGATE_LOG_FORMAT=json

FROM runtime AS gateway
COPY gateway.toml .
COPY static static
COPY --from=build /usr/local/bin/irongate-gateway /usr/local/bin/
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["irongate-gateway", "--health"]
CMD ["irongate-gateway"]

FROM runtime AS auth-svc
COPY --from=build /usr/local/bin/irongate-auth-svc /usr/local/bin/
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["irongate-auth-svc", "--health"]
CMD ["irongate-auth-svc"]

FROM runtime AS user-svc
COPY --from=build /usr/local/bin/irongate-user-svc /usr/local/bin/
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["irongate-user-svc", "--health"]
CMD ["irongate-user-svc"]

FROM runtime AS chat-svc
COPY --from=build /usr/local/bin/irongate-chat-svc /usr/local/bin/
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["irongate-chat-svc", "--health"]
CMD ["irongate-chat-svc"]

# The command itself, for `irongate create-admin` beside a running system.
FROM runtime AS irongate
COPY --from=build /usr/local/bin/irongate /usr/local/bin/
ENTRYPOINT ["irongate"]
