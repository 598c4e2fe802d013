import { Client, type Dispatcher } from "undici";

/** The connections to one back end. */
export type Connections = {
  /** Never throws: what goes wrong is told to the handler. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Required<Handler>): void;
  close(): void;
};

type Handler = Pick<
  Dispatcher.DispatchHandler,
  "onRequestStart" | "onResponseStart" | "onResponseData" | "onResponseEnd" | "onResponseError"
>;

const KEPT_OPEN = 64;

/**
 * Takes as many connections as there are requests under way, for under a bound slow downloads would keep the polls of other devices
 * waiting, and keeps some open for the next. undici's own Pool looks through all of its connections for each request and keeps them all.
 */
export function createConnections(origin: string): Connections {
  const idle: Client[] = [];
  const open = new Set<Client>();
  const take = (): Client => {
    const kept = idle.pop();
    if (kept !== undefined) return kept;
    const client = new Client(origin, { allowH2: false });
    open.add(client);
    return client;
  };
  const drop = (client: Client) => {
    open.delete(client);
    void client.destroy();
  };
  return {
    dispatch(options, handler) {
      const client = take();
      client.dispatch(options, {
        onRequestStart: (controller, context) => handler.onRequestStart(controller, context),
        onResponseStart: (controller, status, headers) => handler.onResponseStart(controller, status, headers),
        onResponseData: (controller, chunk) => handler.onResponseData(controller, chunk),
        onResponseEnd(controller, trailers) {
          if (idle.length < KEPT_OPEN) idle.push(client);
          else setImmediate(drop, client); // this exchange is not over yet for the client itself
          handler.onResponseEnd(controller, trailers);
        },
        onResponseError(controller, err) {
          drop(client);
          handler.onResponseError(controller, err);
        },
      });
    },
    close() {
      for (const client of open) void client.destroy();
    },
  };
}
