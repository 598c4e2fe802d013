-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_authorityId_serialHex_idx" ON "device_certificate"("namespaceId", "authorityId", "serialHex");
