# The exchange. scripts/docker-steps.mjs runs these very steps in CI, where no engine is: every path that
# a RUN uses is relative, and a value of ENV that begins with / is a folder of the image.

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && mkdir -p empty

FROM node:22-bookworm-slim AS libraries
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:22-bookworm-slim
ENV NODE_ENV=production
# The container's network decides who reaches these, not the loopback address.
ENV SLUIS_HTTP_HOST=0.0.0.0
ENV SLUIS_OPS_HOST=0.0.0.0
WORKDIR /app
COPY --from=libraries /app/node_modules node_modules
COPY --from=build /app/dist/src dist/src
COPY package.json LICENSE README.md ./
COPY bin bin
COPY --from=build --chown=node:node /app/empty /data
USER node
VOLUME /data
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SLUIS_OPS_PORT || 9090}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/sluis.cjs"]
CMD ["serve", "--data", "/data"]
