import type { NextConfig } from "next";

// Read by `next build` and `next dev` after this file: nothing is sent anywhere.
process.env.NEXT_TELEMETRY_DISABLED = "1";

const config: NextConfig = {
  poweredByHeader: false,
  reactStrictMode: true,
  // Packages with native parts or their own idea of module identity: loaded by Node, never bundled.
  serverExternalPackages: [
    "@node-rs/argon2",
    "@prisma/adapter-pg",
    "@prisma/client",
    "pg",
    "pg-boss",
    "pino",
    "@fastify/busboy",
    "fflate",
    "openpgp",
  ],
  // Pictures are our own files: no resizing end point that fetches and decodes for anybody.
  images: { unoptimized: true },
  // An API must not answer a typing slip with a redirect that turns POST into GET.
  skipTrailingSlashRedirect: true,
  // Types are one check of `npm test`, over the whole tree; a start from a clean clone need not wait for it again.
  typescript: { ignoreBuildErrors: true },
  typedRoutes: false,
  devIndicators: false,
};

export default config;
