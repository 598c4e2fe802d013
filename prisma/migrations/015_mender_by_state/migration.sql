-- CreateIndex
CREATE INDEX "fleet_device_namespaceId_menderStatus_uuid_idx" ON "fleet_device"("namespaceId", "menderStatus", "uuid");

-- CreateIndex
CREATE INDEX "mender_preauthorization_namespaceId_deviceUuid_lastAt_id_idx" ON "mender_preauthorization"("namespaceId", "deviceUuid", "lastAt", "id");
