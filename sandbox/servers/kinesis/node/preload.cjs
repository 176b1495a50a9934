// Preloaded into kinesis-local (`node --require`), which by itself listens on every interface, forgets what it has
// acknowledged when it is killed, and slows down with every record that it holds. docs/sandbox.md says what is done.
'use strict';

const { recover } = require('./ledger.cjs');
const { serve } = require('./front.cjs');
const { parkPersistence } = require('./snapshots.cjs');
require('./speed.cjs');
const { listenBehind } = require('./loopback.cjs');

const folder = process.env.PERSIST_PATH;
const publicPort = Number(process.env.KINESIS_MOCK_PLAIN_PORT);

recover(folder);
parkPersistence(folder);
listenBehind(publicPort, (port) => serve({ folder, publicPort, port }));
