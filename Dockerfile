# The command and nothing else: a static binary, which runs as nobody.
#
#   docker build --tag impasto .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/pictures" impasto stylize content.jpg style.jpg -o out.png
FROM rust:1-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /impasto
COPY . .
ARG IMPASTO_COMMIT
# On Alpine the host's own target is static musl.
RUN cargo build --locked --release --bin impasto
# What a scratch image has not: a folder for temporary files that everybody may write to.
RUN install -d -m 1777 /empty/tmp

FROM scratch
COPY --from=build /empty/ /
COPY --from=build /impasto/target/release/impasto /usr/bin/impasto
COPY LICENSE-MIT LICENSE-APACHE NOTICE /usr/share/doc/impasto/
USER 65534:65534
WORKDIR /pictures
ENTRYPOINT ["/usr/bin/impasto"]
CMD ["--help"]
