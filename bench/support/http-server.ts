import { type ChildProcess, fork } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a client puts on the server. */
export interface Load {
  /** Connections that are kept alive; each has one request under way at most. */
  readonly connections: number;
  /** Requests a second; `'all'`: each connection sends the next as soon as the last is answered. */
  readonly rate: number | 'all';
  /** Milliseconds that are measured. */
  readonly ms: number;
}

/** What a client saw of the requests that were due in the time that was measured. */
export interface Answers {
  readonly perSecond: number;
  /** Latencies in milliseconds, from when a request was due to its answer's last byte. */
  readonly p50: number;
  readonly p99: number;
}

/** A small HTTP server in this process, and its client in another. */
export interface ServedClient {
  /** Puts a load on the server. */
  ask(load: Load): Promise<Answers>;
  end(): void;
}

/** The whole of an answer's body; nothing else in it looks like this after a head. */
export const BODY = 'ok';
/** What a client may take beyond the time that it measures, in milliseconds. */
const PATIENCE_MS = 10_000;

export async function startServer(): Promise<ServedClient> {
  const server = createServer((_, response) => response.end(BODY));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  // Ends with this process: the channel is all that keeps it.
  const client = fork(new URL('./http-client.js', import.meta.url), [String(port)]);
  return { ask: (load) => answerOf(client, load), end: () => end(server, client) };
}

function answerOf(client: ChildProcess, load: Load): Promise<Answers> {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Error('the client ended, or did not answer'));
    const timer = setTimeout(fail, load.ms + PATIENCE_MS);
    client.once('exit', fail);
    client.once('message', (answers) => {
      clearTimeout(timer);
      client.off('exit', fail);
      resolve(answers as Answers);
    });
    client.send(load);
  });
}

function end(server: Server, client: ChildProcess): void {
  client.disconnect();
  server.close();
}
