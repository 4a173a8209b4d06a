# Postel: all roles in one image, chosen by the command.
#
#   docker build -t postel --build-arg VERSION=0.1.0 .
#   docker run … postel node apps/inbound/src/main.ts      (or api, outbound, worker, ip-manager)
#   docker run … postel node db/src/migrate-main.ts        (once for each version, before or while its apps start)
#
# Two images are made from it, with what one role alone needs: Dockerfile.agent (iproute2), Dockerfile.backup (pg_dump).
# A registry of one's own: --build-arg NPM_CONFIG_REGISTRY=https://…

ARG BASE_IMAGE=node:24-bookworm-slim

FROM ${BASE_IMAGE} AS dependencies
ARG NPM_CONFIG_REGISTRY
WORKDIR /app
COPY package.json package-lock.json ./
COPY apps/api/package.json apps/api/
COPY apps/inbound/package.json apps/inbound/
COPY apps/ip-manager/package.json apps/ip-manager/
COPY apps/lib/mail/package.json apps/lib/mail/
COPY apps/lib/runtime/package.json apps/lib/runtime/
COPY apps/outbound/package.json apps/outbound/
COPY apps/standalone/package.json apps/standalone/
COPY apps/worker/package.json apps/worker/
COPY db/package.json db/
COPY test/package.json test/
# Peers count as direct dependencies where they are needed; the rest of them, and the embedded Postgres, are for development.
# No install script runs: what is built here is what the lockfile's hashes name. Taken away is what only editors, debuggers and
# packages' own authors read.
RUN npm ci --omit=dev --omit=optional --omit=peer --ignore-scripts --no-audit --no-fund \
      -w apps/api -w apps/inbound -w apps/ip-manager -w apps/outbound -w apps/worker -w apps/lib/mail -w apps/lib/runtime -w db \
  && rm -rf apps/standalone test node_modules/@postel/standalone node_modules/@postel/test \
  && find . \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name '*.test.*' \) -type f -delete \
  && find . -type d \( -name test -o -name tests -o -name __tests__ \) -prune -exec rm -rf {} + \
  && npm cache clean --force

FROM ${BASE_IMAGE} AS app
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Postel" \
      org.opencontainers.image.description="Mail transfer agent for transactional mail, on Postgres" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app ./
COPY LICENSE ./
COPY apps apps
COPY db db
# A number, so that Kubernetes can see that it is not root. Nothing below /app is its own: the root may be read-only.
USER 1000:1000
EXPOSE 2587 2465 2525 3000 9464
ENTRYPOINT []
CMD ["node", "-e", "console.error('Say which role to run: node apps/<inbound|api|outbound|worker|ip-manager>/src/main.ts, or node db/src/migrate-main.ts'); process.exit(64)"]
