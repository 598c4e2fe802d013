"use client";

import { useQueryStates } from "nuqs";
import { type DeviceParams, deviceParams } from "#lib/client/device-params.ts";

export type Facet = "status" | "certificate" | "hardware" | "mender";

export type DeviceFilter = {
  params: DeviceParams;
  /** How many conditions narrow the list. */
  active: number;
  goTo: (cursor: string) => void;
  sortBy: (sort: string) => void;
  search: (q: string) => void;
  toggle: (facet: Facet, value: string) => void;
  drop: (name: "q" | "image" | "simulated") => void;
  clear: () => void;
};

/** Filter, order and page of the devices list, kept in the URL. Whatever changes the set starts again at its first page. */
export function useDeviceParams(): DeviceFilter {
  const [params, setParams] = useQueryStates(deviceParams, { history: "push", scroll: false });
  return {
    params,
    active:
      params.status.length +
      params.certificate.length +
      params.hardware.length +
      params.mender.length +
      [params.q, params.image, params.simulated].filter((value) => value !== "").length,
    goTo: (cursor) => void setParams({ cursor }),
    sortBy: (sort) => void setParams({ sort, cursor: null }),
    search: (q) => void setParams({ q, cursor: null }, { history: "replace" }),
    toggle: (facet, value) => {
      const chosen = params[facet];
      const next = chosen.includes(value) ? chosen.filter((other) => other !== value) : [...chosen, value];
      void setParams({ [facet]: next, cursor: null });
    },
    drop: (name) => void setParams({ [name]: null, cursor: null }),
    clear: () =>
      void setParams({
        q: null,
        status: null,
        certificate: null,
        hardware: null,
        mender: null,
        image: null,
        simulated: null,
        cursor: null,
      }),
  };
}
