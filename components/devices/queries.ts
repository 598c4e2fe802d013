"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api } from "#lib/client/api.ts";
import { keys, type ListParams } from "#lib/client/keys.ts";

export function useDevice(uuid: string) {
  return useQuery({ queryKey: keys.devices.one(uuid), queryFn: ({ signal }) => api.getDevice(uuid, signal) });
}

export function useActivity(uuid: string, params: ListParams) {
  return useQuery({
    queryKey: keys.devices.activity(uuid, params),
    queryFn: ({ signal }) => api.deviceActivity(uuid, params, signal),
    placeholderData: keepPreviousData,
  });
}

export function useDeviceCertificates(uuid: string) {
  const params = { deviceUuid: uuid, limit: 50 };
  return useQuery({
    queryKey: keys.certificates.list(params),
    queryFn: ({ signal }) => api.listCertificates(params, signal),
  });
}
