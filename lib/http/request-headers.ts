/** Set by our own server on every request, after whatever a client sent under these names was dropped. */
export const ADDRESS_HEADER = "x-gatehouse-address";
export const REQUEST_ID_HEADER = "x-request-id";
/** Next drops Content-Length from a route's reply; our server puts back what stands here. Never leaves the process. */
export const REPLY_LENGTH_HEADER = "x-gatehouse-reply-length";
/** Set by the proxy on every page's request: where to lead somebody whose session turns out to have ended. */
export const REQUESTED_PATH_HEADER = "x-gatehouse-requested-path";
