import { Machine } from 'mtcopy';

// To be loaded before a command: says on standard error which nodes each machine has that it boots.
const { boot } = Machine;
Machine.boot = function bootShown(options) {
  console.error(`boots ${JSON.stringify(options.nodes)}`);
  return boot.call(this, options);
};
