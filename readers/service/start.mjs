// Starts what is judged.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { Agent, request as plainRequest } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createPlain } from 'node:net';
import { join } from 'node:path';

// rollcall serve in a folder of its own, until it says where it is.
export function serve(binary, dir, name, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ['serve', ...args], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stderr.pipe(createWriteStream(join(dir, `${name}.log`)));
    let said = '';
    const late = setTimeout(() => (child.kill('SIGKILL'), reject(new Error(`${name} does not serve: ${said}`))), 30_000);
    child.stdout.on('data', (d) => {
      said += d;
      const at = /^Rollcall serves (\S+)$/m.exec(said);
      if (!at) return;
      clearTimeout(late);
      resolve({
        url: at[1],
        pid: child.pid,
        data: join(dir, 'rollcall-data'),
        end: () => new Promise((ended) => {
          if (child.exitCode !== null) return ended(child.exitCode);
          child.once('exit', ended);
          child.kill('SIGTERM');
        }),
      });
    });
    child.once('exit', (code) => (clearTimeout(late), reject(new Error(`${name} ended with ${code}: ${said}; see ${name}.log`))));
  });
}

// A plain balancer: it ends TLS, and gives each request to the next replica in turn.
export function balancer(tls) {
  let ports = [];
  const served = [];
  const agents = [];
  let next = 0;
  const server = createServer(tls, (from, to) => {
    const n = next++ % ports.length;
    served[n]++;
    const through = plainRequest(
      { agent: agents[n], host: '127.0.0.1', port: ports[n], method: from.method, path: from.url, headers: { ...from.headers, 'x-forwarded-for': from.socket.remoteAddress } },
      (answer) => {
        to.writeHead(answer.statusCode, answer.rawHeaders);
        answer.pipe(to);
      },
    );
    through.on('error', () => to.writeHead(502).end());
    from.pipe(through);
  });
  const ready = (all) => {
    ports = all;
    for (const _ of all) {
      agents.push(new Agent({ keepAlive: true }));
      served.push(0);
    }
  };
  return { server, served, ready, close: () => (agents.forEach((a) => a.destroy()), server.closeAllConnections(), server.close()) };
}

export const listen = (server, port = 0) => new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server.address().port)));

export async function freePort() {
  const server = createPlain();
  const port = await listen(server);
  await new Promise((closed) => server.close(closed));
  return port;
}
