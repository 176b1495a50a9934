// Preloaded into kinesis-local, which has no setting for the address: whatever listens, listens on 127.0.0.1.
'use strict';

const net = require('node:net');

const LOOPBACK = '127.0.0.1';
const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function listenOnLoopback(...given) {
  const [first, second] = given;
  if (typeof first === 'object' && first !== null && first.port !== undefined) {
    given[0] = { ...first, host: LOOPBACK };
  } else if (typeof first === 'number' || /^\d+$/.test(first)) {
    given.splice(1, typeof second === 'string' ? 1 : 0, LOOPBACK);
  }
  return listen.apply(this, given);
};
