-- CreateIndex
CREATE INDEX "mender_binding_namespaceId_deviceUuid_idx" ON "mender_binding"("namespaceId", "deviceUuid");
