/** Greets the device that the proxy names. Run it where only the proxy can reach it: it believes a header. */
import http from "node:http";

const HOST = "127.0.0.1";
const PORT = Number(process.argv[2] ?? 8080);

const server = http.createServer((req, res) => {
  const device = req.headers["x-gatehouse-device"];
  res.setHeader("content-type", "text/plain; charset=utf-8");
  if (typeof device !== "string") {
    res.writeHead(500).end("The proxy names no device. See nginx.conf.\n");
    return;
  }
  res.end(`granted\ndevice ${device}\n`);
});

server.listen(PORT, HOST, () => {
  const { port } = server.address();
  process.stdout.write(`http://${HOST}:${port}\n`);
});

process.on("SIGTERM", () => server.close());
