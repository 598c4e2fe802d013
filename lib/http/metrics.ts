import type { FastifyInstance } from "fastify";

const BUCKETS_SECONDS = [0.005, 0.025, 0.1, 0.5, 2.5, 10];

type Series = { count: number; sumSeconds: number; buckets: number[] };

/** Counts and times every request by route pattern, method and status, in Prometheus' text format. Bounded by the routes there are. */
export function collectMetrics(app: FastifyInstance): { render(): string } {
  const series = new Map<string, Series>();
  app.addHook("onResponse", async (req, reply) => {
    const route = req.routeOptions.url ?? "unknown";
    const labels = `method="${req.method}",route="${route.replace(/[\\"\n]/g, "\\$&")}",status="${reply.statusCode}"`;
    observe(series, labels, reply.elapsedTime / 1_000);
  });
  return {
    render() {
      const lines = ["# TYPE gatehouse_http_request_seconds histogram"];
      for (const [labels, { count, sumSeconds, buckets }] of series) {
        for (const [index, limit] of BUCKETS_SECONDS.entries()) {
          lines.push(`gatehouse_http_request_seconds_bucket{${labels},le="${limit}"} ${buckets[index] ?? 0}`);
        }
        lines.push(
          `gatehouse_http_request_seconds_bucket{${labels},le="+Inf"} ${count}`,
          `gatehouse_http_request_seconds_sum{${labels}} ${sumSeconds}`,
          `gatehouse_http_request_seconds_count{${labels}} ${count}`,
        );
      }
      lines.push(
        "# TYPE process_resident_memory_bytes gauge",
        `process_resident_memory_bytes ${process.memoryUsage().rss}`,
        "# TYPE process_cpu_seconds_total counter",
        `process_cpu_seconds_total ${process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6}`,
      );
      return `${lines.join("\n")}\n`;
    },
  };
}

function observe(series: Map<string, Series>, labels: string, seconds: number): void {
  const entry = series.get(labels) ?? { count: 0, sumSeconds: 0, buckets: BUCKETS_SECONDS.map(() => 0) };
  entry.count += 1;
  entry.sumSeconds += seconds;
  entry.buckets = entry.buckets.map((hits, index) => hits + (seconds <= (BUCKETS_SECONDS[index] ?? 0) ? 1 : 0));
  series.set(labels, entry);
}
