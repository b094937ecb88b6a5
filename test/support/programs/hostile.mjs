const VALUES = [
  undefined,
  null,
  true,
  Number.NaN,
  -1,
  0.5,
  2 ** 52,
  -(2 ** 53),
  1n,
  Symbol('hostile'),
  '',
  'x',
  {},
  [1, 2],
  () => 1,
  {
    valueOf() {
      throw Object.assign(new Error('boom'), { code: 'BOOM' });
    },
  },
];
const LOADS = ['load8', 'load16', 'load32', 'load64'];
const STORES = ['store8', 'store16', 'store32', 'store64'];

/** Gives every method what nobody should; returns what was thrown without a code, and how many calls failed. */
export default function hostile(cpu, { address }) {
  const wrong = [];
  let failed = 0;
  const attempt = (method, ...args) => {
    try {
      cpu[method](...args);
    } catch (error) {
      failed++;
      if (!error.code) wrong.push(`${method}: ${error.message}`);
    }
  };
  for (const value of VALUES) {
    for (const method of LOADS) attempt(method, value);
    for (const method of STORES) {
      attempt(method, value, 1);
      attempt(method, address, value);
    }
    if (typeof value !== 'number' || !(value > 1)) attempt('idle', value);
  }
  return { wrong, failed, still: cpu.load8(address + 4095) };
}
