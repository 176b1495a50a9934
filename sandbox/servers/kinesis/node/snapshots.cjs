// kinesis-local writes all its state every PERSIST_INTERVAL. Its interval never ends, the timer is held
// here, and a snapshot is taken when a stream has changed. When the timer comes back, the state has been written.
'use strict';

const fs = require('node:fs');
const { files } = require('./ledger.cjs');

const INTERVAL_MILLISECONDS = 20 * 24 * 3600 * 1000; // sandbox/servers/kinesis/__init__.py says 20d
const setTimeout = globalThis.setTimeout;

let paths;
let parked; // the callback that ends kinesis-local's wait
let arrived = () => {};
let last = new Promise((resolve) => {
  arrived = resolve;
});

function parkPersistence(folder) {
  paths = files(folder);
  globalThis.setTimeout = (callback, milliseconds, ...rest) => {
    if (milliseconds !== INTERVAL_MILLISECONDS) {
      return setTimeout(callback, milliseconds, ...rest);
    }
    parked = callback;
    arrived();
    return setTimeout(() => {}, 0);
  };
}

/** Take a snapshot that holds all that was done before this call, after those requested earlier. */
function takeSnapshot() {
  last = last.then(async () => {
    const written = new Promise((resolve) => {
      arrived = resolve;
    });
    parked();
    await written;
    fs.renameSync(paths.state, paths.snapshot);
  });
  return last;
}

module.exports = { parkPersistence, takeSnapshot };
