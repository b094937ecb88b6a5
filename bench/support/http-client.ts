import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { quantile } from 'simple-statistics';
import { type Answers, BODY, type Load } from './http-server.js';

/*
 * The client of a small HTTP server, in a process of its own: it puts a load on it for every message that it gets, and
 * sends back what it saw. It speaks HTTP itself, for Node.js's own client takes more of a core than the server.
 */

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const END = `\r\n\r\n${BODY}`;
const port = Number(process.argv[2]);
/** Before the time that is measured, and after it for what is still under way, in milliseconds. */
const WARM_UP_MS = 200;
const DRAIN_MS = 100;

/** Puts one load on the server, over connections of its own. */
async function ask({ connections, rate, ms }: Load): Promise<Answers> {
  const sockets = await Promise.all(Array.from({ length: connections }, open));
  const begin = performance.now() + WARM_UP_MS;
  const latencies: number[] = [];
  const record = (due: number, latency: number) => {
    if (due >= begin && due < begin + ms) latencies.push(latency);
  };
  const stop = rate === 'all' ? askAll(sockets, record) : askPaced(sockets, rate, record);
  await setTimeout(WARM_UP_MS + ms + DRAIN_MS);
  stop();
  for (const socket of sockets) socket.destroy();
  if (latencies.length === 0) throw new Error('not one request was answered');
  return { perSecond: latencies.length / (ms / 1000), p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}

type Record = (due: number, latency: number) => void;

/** Each connection sends the next request once the last is answered. */
function askAll(sockets: readonly Socket[], record: Record): () => void {
  for (const socket of sockets) {
    let due = performance.now();
    onAnswer(socket, () => {
      const now = performance.now();
      record(due, now - due);
      due = now;
      socket.write(REQUEST);
    });
    socket.write(REQUEST);
  }
  return () => {};
}

/** Requests at a steady rate: what finds no idle connection waits for one, and that time counts too. */
function askPaced(sockets: readonly Socket[], rate: number, record: Record): () => void {
  const idle = [...sockets];
  const waiting: number[] = [];
  const asked = new Map<Socket, number>();
  const send = (socket: Socket, due: number) => {
    asked.set(socket, due);
    socket.write(REQUEST);
  };
  for (const socket of sockets) {
    onAnswer(socket, () => {
      const due = asked.get(socket) ?? 0;
      record(due, performance.now() - due);
      const next = waiting.shift();
      if (next === undefined) idle.push(socket);
      else send(socket, next);
    });
  }
  const timer = setInterval(() => {
    const socket = idle.pop();
    if (socket) send(socket, performance.now());
    else waiting.push(performance.now());
  }, 1000 / rate);
  return () => clearInterval(timer);
}

function onAnswer(socket: Socket, answered: () => void): void {
  let tail = '';
  socket.on('data', (text: string) => {
    tail = (tail + text).slice(-END.length);
    if (tail !== END) return;
    tail = '';
    answered();
  });
}

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.setEncoding('latin1').on('error', reject);
  });
}

process.on('message', async (load: Load) => process.send?.(await ask(load)));
