-- CreateIndex
CREATE INDEX "device_certificate_namespaceId_canary_state_notAfter_idx" ON "device_certificate"("namespaceId", "canary", "state", "notAfter");
