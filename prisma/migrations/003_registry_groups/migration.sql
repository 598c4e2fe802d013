-- CreateTable
CREATE TABLE "registry_group" (
    "id" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "expression" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "registry_group_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "registry_group_member" (
    "groupId" UUID NOT NULL,
    "deviceUuid" UUID NOT NULL,

    CONSTRAINT "registry_group_member_pkey" PRIMARY KEY ("groupId","deviceUuid")
);

-- CreateTable
CREATE TABLE "registry_tag" (
    "deviceUuid" UUID NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "tagId" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "registry_tag_pkey" PRIMARY KEY ("deviceUuid","tagId")
);

-- CreateTable
CREATE TABLE "registry_package_list_item" (
    "namespaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "comment" TEXT NOT NULL,

    CONSTRAINT "registry_package_list_item_pkey" PRIMARY KEY ("namespaceId","name","version")
);

-- CreateTable
CREATE TABLE "registry_ecu_result" (
    "deviceUuid" UUID NOT NULL,
    "ecuSerial" TEXT NOT NULL,
    "namespaceId" TEXT NOT NULL,
    "correlationId" TEXT NOT NULL,
    "resultCode" TEXT NOT NULL,
    "success" BOOLEAN NOT NULL,

    CONSTRAINT "registry_ecu_result_pkey" PRIMARY KEY ("deviceUuid","ecuSerial")
);

-- CreateIndex
CREATE INDEX "registry_group_namespaceId_createdAt_id_idx" ON "registry_group"("namespaceId", "createdAt", "id");

-- CreateIndex
CREATE UNIQUE INDEX "registry_group_namespaceId_name_key" ON "registry_group"("namespaceId", "name");

-- CreateIndex
CREATE INDEX "registry_group_member_deviceUuid_groupId_idx" ON "registry_group_member"("deviceUuid", "groupId");

-- CreateIndex
CREATE INDEX "registry_tag_namespaceId_tagId_value_idx" ON "registry_tag"("namespaceId", "tagId", "value");

-- CreateIndex
CREATE INDEX "registry_ecu_result_namespaceId_correlationId_resultCode_idx" ON "registry_ecu_result"("namespaceId", "correlationId", "resultCode");

-- CreateIndex
CREATE INDEX "registry_device_namespaceId_lastSeen_uuid_idx" ON "registry_device"("namespaceId", "lastSeen", "uuid");

-- CreateIndex
CREATE INDEX "registry_device_namespaceId_activatedAt_uuid_idx" ON "registry_device"("namespaceId", "activatedAt", "uuid");

-- CreateIndex
CREATE INDEX "registry_device_namespaceId_status_idx" ON "registry_device"("namespaceId", "status");
