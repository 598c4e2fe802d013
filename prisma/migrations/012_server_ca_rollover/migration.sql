-- AlterTable
ALTER TABLE "server_certificate" ALTER COLUMN "sealedKey" DROP NOT NULL;

-- CreateTable
CREATE TABLE "device_server_ca" (
    "namespaceId" TEXT NOT NULL,
    "deviceUuid" UUID NOT NULL,
    "serverCaId" UUID NOT NULL,
    "givenAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "device_server_ca_pkey" PRIMARY KEY ("namespaceId","deviceUuid")
);

-- CreateIndex
CREATE INDEX "device_server_ca_namespaceId_serverCaId_deviceUuid_idx" ON "device_server_ca"("namespaceId", "serverCaId", "deviceUuid");
