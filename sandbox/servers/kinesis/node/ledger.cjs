// What survives kill -9: a snapshot of all streams, and a journal of the records that were acknowledged since.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const EMPTY = {
  streams: {},
  resourcePolicies: {},
  accountSettings: { minimumThroughputBillingCommitment: null },
};
const HOUR_SECONDS = 3600;

const files = (folder) => ({
  state: path.join(folder, 'kinesis-data.json'), // kinesis-local's own: read at its start, written on demand
  snapshot: path.join(folder, 'snapshot.json'), // the last one that was written to its end
  journal: path.join(folder, 'journal.jsonl'), // one line a put: [stream ARN, seconds, encryption, records]
});

/** Order sequence numbers: decimal text of up to 56 digits, too long for a number. */
const compare = (one, other) => one.length - other.length || (one < other ? -1 : Number(one > other));

function writeWhole(file, text) {
  fs.writeFileSync(`${file}.draft`, text, { mode: 0o600 });
  fs.renameSync(`${file}.draft`, file);
}

/**
 * Append what was acknowledged; it is the kernel's, and so outlives this process, when this returns.
 *
 * On a full disk a part of the line may be written, which the next line would continue: it is taken away again.
 */
function appendPut(descriptor, put) {
  const { size } = fs.fstatSync(descriptor);
  try {
    fs.appendFileSync(descriptor, `${JSON.stringify(put)}\n`);
  } catch (error) {
    fs.ftruncateSync(descriptor, size);
    throw error;
  }
}

/** Return the journal's puts. A last line without an end was never acknowledged; a broken one before it is an error. */
function readJournal(file) {
  const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : [''];
  lines.pop();
  return lines.map((line) => JSON.parse(line));
}

/**
 * Return the state with every record of the journal in its shard, each once, in order and within retention.
 *
 * A change of status that was under way when the process died is done now. Puts to streams that were deleted since
 * are left out, those to an earlier stream of the same name too: they come before the first number of the shard.
 */
function merge(state, puts, nowSeconds) {
  const shards = new Map();
  for (const [arn, stream] of Object.entries(state.streams)) {
    if (stream.streamStatus === 'DELETING') {
      delete state.streams[arn];
      continue;
    }
    stream.streamStatus = 'ACTIVE';
    for (const [key, records] of Object.entries(stream.shards)) {
      const shard = JSON.parse(key);
      shards.set(`${arn}/${shard.ShardId}`, {
        records,
        first: shard.SequenceNumberRange.StartingSequenceNumber,
        known: new Set(records.map((record) => record.SequenceNumber)),
        since: nowSeconds - stream.retentionPeriod.length * HOUR_SECONDS,
      });
    }
  }
  for (const [arn, seconds, encryption, records] of puts) {
    for (const [shardId, sequenceNumber, partitionKey, data] of records) {
      const shard = shards.get(`${arn}/${shardId}`);
      if (shard && compare(sequenceNumber, shard.first) > 0 && seconds > shard.since && !shard.known.has(sequenceNumber)) {
        shard.records.push({
          ApproximateArrivalTimestamp: seconds,
          Data: data,
          EncryptionType: encryption,
          PartitionKey: partitionKey,
          SequenceNumber: sequenceNumber,
        });
        shard.known.add(sequenceNumber);
      }
    }
  }
  for (const { records } of shards.values()) {
    records.sort((one, other) => compare(one.SequenceNumber, other.SequenceNumber));
  }
  return state;
}

/** Write the state that kinesis-local is about to read. Killed at any point, it can be done again. */
function recover(folder) {
  const { state, snapshot, journal } = files(folder);
  const known = fs.existsSync(snapshot) ? JSON.parse(fs.readFileSync(snapshot, 'utf8')) : EMPTY;
  const text = JSON.stringify(merge(known, readJournal(journal), Date.now() / 1000));
  writeWhole(snapshot, text);
  writeWhole(state, text);
  fs.rmSync(journal, { force: true });
}

module.exports = { appendPut, files, recover };
