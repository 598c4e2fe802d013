import type { FastifyInstance } from "fastify";

/**
 * Remembers every route that is added from now on, to tell an unknown address (404) from a known one with another
 * method (405), which Fastify does not.
 */
export function knownRoutes(app: FastifyInstance): { methodsAt(url: string): string[] } {
  const routes: { methods: readonly string[]; shape: RegExp }[] = [];
  app.addHook("onRoute", (route) => {
    routes.push({
      methods: typeof route.method === "string" ? [route.method] : route.method,
      shape: shapeOf(route.url),
    });
  });
  return {
    methodsAt(url) {
      const path = url.split("?", 1)[0] ?? "";
      return [...new Set(routes.filter(({ shape }) => shape.test(path)).flatMap(({ methods }) => methods))].sort();
    },
  };
}

/** `/a/:id/:n(^\\d+).json/*` as a regular expression; a parameter's own pattern is taken as "anything but a slash". */
function shapeOf(pattern: string): RegExp {
  const source = pattern
    .split(/(:\w+(?:\([^)]*\))?|\*)/)
    .map((piece) => {
      if (piece === "*") return ".*";
      return piece.startsWith(":") ? "[^/]+" : piece.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
    })
    .join("");
  return new RegExp(`^${source}$`);
}
