# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock askama.toml ./
COPY migrations migrations
COPY src src
# The guides are pages of the server.
COPY *.md ./
COPY docs docs
# The caches keep what was compiled for the next build; the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked && cp target/release/sojourn /sojourn
RUN mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /sojourn /sojourn
# The default database and the generated secret: without a volume they die with the container.
COPY --from=build --chown=nonroot:nonroot /data /data
VOLUME /data
ENV SOJOURN_DATA_DIR=/data SOJOURN_LISTEN=0.0.0.0:8080 SOJOURN_LOG_FORMAT=json
EXPOSE 8080
USER nonroot
# There is no shell and no curl in the image: the binary asks itself.
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s --retries=3 CMD ["/sojourn", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/sojourn"]
CMD ["serve"]
