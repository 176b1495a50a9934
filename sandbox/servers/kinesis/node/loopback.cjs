// Whatever listens in this process listens on 127.0.0.1.
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

/** Give the first server that asks for `publicPort` another port, and call `ready` with it once it listens. */
function listenBehind(publicPort, ready) {
  const onLoopback = net.Server.prototype.listen;
  net.Server.prototype.listen = function listenElsewhere(...given) {
    const wanted = typeof given[0] === 'object' && given[0] !== null ? given[0].port : given[0];
    if (Number(wanted) !== publicPort) {
      return onLoopback.apply(this, given);
    }
    net.Server.prototype.listen = onLoopback;
    this.once('listening', () => ready(this.address().port));
    given[0] = typeof given[0] === 'object' ? { ...given[0], port: 0 } : 0;
    return onLoopback.apply(this, given);
  };
}

module.exports = { LOOPBACK, listenBehind };
