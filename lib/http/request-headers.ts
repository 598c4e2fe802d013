/** Set by our own server on every request, after whatever a client sent under these names was dropped. */
export const ADDRESS_HEADER = "x-gatehouse-address";
export const REQUEST_ID_HEADER = "x-request-id";
