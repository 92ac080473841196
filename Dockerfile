# Builds hookfast and copies it into a small image: docker build -t hookfast .
FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /hookfast
COPY . .
RUN cargo build --release --locked --bin hookfast

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --user-group --no-create-home hookfast
COPY --from=build /hookfast/target/release/hookfast /usr/local/bin/hookfast
USER hookfast
# The port for webhooks. The admin port, 8081, is on the loopback address of the container unless you change it.
ENV HOOKFAST_LISTEN=0.0.0.0:8080
EXPOSE 8080
# On SIGTERM, hookfast finishes what is in flight. Its time to stop must be longer than [worker] shutdown_timeout.
STOPSIGNAL SIGTERM
ENTRYPOINT ["hookfast"]
CMD ["serve"]
