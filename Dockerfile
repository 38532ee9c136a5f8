# syntax=docker/dockerfile:1

# The build has the glibc and the compiler that the runtime image has the libraries of: both are Debian 12.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock openapi.yaml ./
COPY .cargo ./.cargo
COPY src ./src
COPY migrations ./migrations
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin tidegate \
    && install -D target/release/tidegate /out/tidegate \
    && install -d -m 0700 /out/data

# No shell and no package manager; glibc, libgcc and the certificate authorities are there.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/tidegate /usr/local/bin/tidegate
# A volume that is mounted here for the first time takes over this owner.
COPY --from=build --chown=nonroot:nonroot /out/data /var/lib/tidegate
COPY LICENSE-APACHE LICENSE-MIT src/http/page/assets/vendor/*.LICENSE /usr/share/doc/tidegate/

# What runs without a settings file: the embedded default, on all interfaces of the container. Like all variables, these
# win over a settings file.
ENV TIDEGATE_DATA_DIR=/var/lib/tidegate \
    TIDEGATE_COLLECT__LISTEN=0.0.0.0:8080 \
    TIDEGATE_OPERATE__LISTEN=0.0.0.0:8081
WORKDIR /var/lib/tidegate
VOLUME /var/lib/tidegate
EXPOSE 8080 8081

# Asks the operate listener for /readyz. There is no shell to run anything else.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/tidegate", "healthcheck"]
# SIGTERM, the default, stops in order within `shutdown.grace`; give the container a longer time than that.
ENTRYPOINT ["/usr/local/bin/tidegate"]
CMD ["serve"]
