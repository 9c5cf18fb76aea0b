// For work on the application without compiling the program: serves the built files, with the program's policy, and forwards
// everything else to a running Tribune.
//   node web/tools/serve.mjs http://127.0.0.1:9190 [PORT]
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const built = join(dirname(fileURLToPath(import.meta.url)), '../../Sources/CWebUI/built');
const types = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const [upstream, port] = [new URL(process.argv[2]), Number(process.argv[3] ?? 0)];

const server = createServer((incoming, outgoing) => {
  const path = incoming.url.split('?')[0];
  if (path.startsWith('/ui/')) {
    const name = path.slice(4) || 'index.html';
    try {
      const body = readFileSync(join(built, name.replace(/[^\w.]/g, '')));
      outgoing
        .writeHead(200, { 'Content-Type': types[name.split('.').pop()], 'Content-Security-Policy': policy })
        .end(body);
    } catch {
      outgoing.writeHead(404).end();
    }
    return;
  }
  const headers = { ...incoming.headers, host: upstream.host };
  if (headers.origin) headers.origin = upstream.origin;
  const forward = request(
    { host: upstream.hostname, port: upstream.port, path: incoming.url, method: incoming.method, headers },
    (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    },
  );
  forward.on('error', () => outgoing.destroy());
  outgoing.on('close', () => forward.destroy());
  incoming.pipe(forward);
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/ui/`));
