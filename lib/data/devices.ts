import type { DehydratedState } from "@tanstack/react-query";
import { cache } from "react";
import { type DeviceParams, toDeviceQuery, toFacetQuery } from "#lib/client/device-params.ts";
import { keys } from "#lib/client/keys.ts";
import { ListCertificates } from "#lib/contracts/console/certificates.ts";
import { ListQuery, Uuid } from "#lib/contracts/console/common.ts";
import { type Device, ListDevices } from "#lib/contracts/console/devices.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { getDevice, getFacets, listActivity, listDevices } from "#services/fleet/service.ts";
import { listCertificates } from "#services/identity/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";
import { requirePageSession } from "./session.ts";

/** The first page of the list and its facets. */
export function prefetchDevices(params: DeviceParams): Promise<DehydratedState> {
  const list = toDeviceQuery(params);
  const facets = toFacetQuery(params);
  return prefetch(
    {
      key: keys.devices.list(list),
      read: ({ ctx, actor }) => listDevices(ctx, actor, ListDevices.parse(present(list))),
    },
    {
      key: keys.devices.facets(facets),
      read: ({ ctx, actor }) => getFacets(ctx, actor, ListDevices.parse(present(facets))),
    },
  );
}

/** @returns null when there is no such device, or the text is no id: the page is then not found */
export const findDevice = cache(async (uuid: string): Promise<Device | null> => {
  const { ctx, actor } = await requirePageSession();
  if (!Uuid.safeParse(uuid).success) return null;
  try {
    return await getDevice(ctx, actor, uuid);
  } catch (error) {
    if (isAppError(error, "device.not_found")) return null;
    throw error;
  }
});

export function prefetchDevice(device: Device): Promise<DehydratedState> {
  const { uuid } = device;
  const certificates = { deviceUuid: uuid, limit: 50 };
  const activity = { limit: ACTIVITY_BESIDE };
  return prefetch(
    { key: keys.devices.one(uuid), read: async () => device },
    {
      key: keys.certificates.list(certificates),
      read: ({ ctx, actor }) => listCertificates(ctx, actor, ListCertificates.parse(certificates)),
    },
    {
      key: keys.devices.activity(uuid, activity),
      read: ({ ctx, actor }) => listActivity(ctx, actor, { uuid, query: ListQuery.parse(activity) }),
    },
  );
}

const ACTIVITY_BESIDE = 8;
