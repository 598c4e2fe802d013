-- CreateTable
CREATE TABLE "machine_client" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "secretHash" BYTEA NOT NULL,
    "scopes" TEXT[],
    "certificateFingerprint" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3),
    "lastUsedAt" TIMESTAMPTZ(3),
    "revokedAt" TIMESTAMPTZ(3),

    CONSTRAINT "machine_client_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "machine_client_clientId_key" ON "machine_client"("clientId");

-- CreateIndex
CREATE UNIQUE INDEX "machine_client_certificateFingerprint_key" ON "machine_client"("certificateFingerprint");

-- CreateIndex
CREATE INDEX "machine_client_namespaceId_createdAt_idx" ON "machine_client"("namespaceId", "createdAt");
