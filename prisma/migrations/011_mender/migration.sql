-- AlterTable
ALTER TABLE "fleet_device" ADD COLUMN     "menderCrawl" INTEGER,
ADD COLUMN     "menderId" TEXT,
ADD COLUMN     "menderOnly" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "menderStatus" TEXT;

-- CreateTable
CREATE TABLE "mender_token" (
    "namespaceId" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "sealedToken" BYTEA,
    "obtainedAt" TIMESTAMPTZ(3),
    "expiresAt" TIMESTAMPTZ(3),
    "failures" INTEGER NOT NULL DEFAULT 0,
    "retryAt" TIMESTAMPTZ(3),

    CONSTRAINT "mender_token_pkey" PRIMARY KEY ("namespaceId")
);

-- CreateTable
CREATE TABLE "mender_binding" (
    "namespaceId" TEXT NOT NULL,
    "keySha256" TEXT NOT NULL,
    "identitySha256" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "menderDeviceId" TEXT,
    "authSetId" TEXT,
    "boundAt" TIMESTAMPTZ(3) NOT NULL,
    "rejectedAt" TIMESTAMPTZ(3),
    "rejectAfter" TIMESTAMPTZ(3),

    CONSTRAINT "mender_binding_pkey" PRIMARY KEY ("namespaceId","keySha256")
);

-- CreateTable
CREATE TABLE "mender_preauthorization" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "keySha256" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "sentence" TEXT NOT NULL,
    "identity" TEXT NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "menderDeviceId" TEXT,
    "count" INTEGER NOT NULL,
    "firstAt" TIMESTAMPTZ(3) NOT NULL,
    "lastAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "mender_preauthorization_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "mender_sync" (
    "namespaceId" TEXT NOT NULL,
    "crawl" INTEGER NOT NULL DEFAULT 0,
    "startedAt" TIMESTAMPTZ(3),
    "finishedAt" TIMESTAMPTZ(3),
    "devices" INTEGER NOT NULL DEFAULT 0,
    "leaseUntil" TIMESTAMPTZ(3),

    CONSTRAINT "mender_sync_pkey" PRIMARY KEY ("namespaceId")
);

-- CreateIndex
CREATE INDEX "mender_binding_namespaceId_fingerprint_idx" ON "mender_binding"("namespaceId", "fingerprint");

-- CreateIndex
CREATE INDEX "mender_binding_namespaceId_identitySha256_boundAt_idx" ON "mender_binding"("namespaceId", "identitySha256", "boundAt");

-- CreateIndex
CREATE INDEX "mender_binding_namespaceId_menderDeviceId_idx" ON "mender_binding"("namespaceId", "menderDeviceId");

-- CreateIndex
CREATE INDEX "mender_preauthorization_namespaceId_lastAt_id_idx" ON "mender_preauthorization"("namespaceId", "lastAt", "id");

-- CreateIndex
CREATE UNIQUE INDEX "mender_preauthorization_namespaceId_fingerprint_keySha256_o_key" ON "mender_preauthorization"("namespaceId", "fingerprint", "keySha256", "outcome");

-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_menderId_idx" ON "fleet_device"("namespaceId", "menderId");
