-- AlterTable
ALTER TABLE "authority" ADD COLUMN     "kind" TEXT NOT NULL DEFAULT 'fleet';

-- CreateTable
CREATE TABLE "bootstrap_credential" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "certificate" BYTEA NOT NULL,
    "validFrom" TIMESTAMPTZ(3) NOT NULL,
    "validUntil" TIMESTAMPTZ(3) NOT NULL,
    "usesAllowed" INTEGER NOT NULL,
    "usesLeft" INTEGER NOT NULL,
    "policy" TEXT NOT NULL,
    "certificateDays" INTEGER NOT NULL,
    "groupId" UUID,
    "hardwareId" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy" TEXT NOT NULL,
    "lastUsedAt" TIMESTAMPTZ(3),
    "revokedAt" TIMESTAMPTZ(3),
    "revokedBy" TEXT,

    CONSTRAINT "bootstrap_credential_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "bootstrap_credential_namespaceId_createdAt_id_idx" ON "bootstrap_credential"("namespaceId", "createdAt", "id");

-- CreateIndex
CREATE UNIQUE INDEX "bootstrap_credential_namespaceId_fingerprint_key" ON "bootstrap_credential"("namespaceId", "fingerprint");
