// The door to kinesis-local, in its own process: no answer says that something was done before it would survive kill -9.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const { refusalOf } = require('./access.cjs');
const { appendPut, files } = require('./ledger.cjs');
const { LOOPBACK } = require('./loopback.cjs');
const { takeSnapshot } = require('./snapshots.cjs');

const IDLE_MILLISECONDS = 120_000;
const AGENT_IDLE_MILLISECONDS = 20_000; // less than the minute after which kinesis-local closes a quiet connection
const MAX_BODY_BYTES = 32 * 1024 * 1024; // PutRecords takes 10 MiB, a third more in base64
const JSON_TYPE = 'application/x-amz-json-1.1'; // boto3 speaks nothing else to Kinesis
const MAX_RECORDS = 500; // PutRecords' own limits, which kinesis-local does not know
const MAX_REQUEST_BYTES = 10 * 1024 * 1024; // of data and partition keys
const READS = /^(Describe|Get|List|Subscribe)/;
const PUTS = new Set(['PutRecord', 'PutRecords']);
const DELETE = 'DeleteStream';
const DESCRIBE = 'Kinesis_20131202.DescribeStreamSummary';
const MIN_FREE_BYTES = Number(process.env.MIN_FREE_BYTES ?? 0);
const ACCOUNT = '000000000000'; // kinesis-local's, unless the access key is an account's twelve digits

function serve({ folder, publicPort, port }) {
  const agent = new http.Agent({ keepAlive: true, timeout: AGENT_IDLE_MILLISECONDS });
  const keys = { accessKey: process.env.AWS_ACCESS_KEY_ID, secretKey: process.env.AWS_SECRET_ACCESS_KEY };
  const journal = fs.openSync(files(folder).journal, 'a', 0o600);
  const changes = new Set(); // the changes of streams that are not on disk yet
  let lastDelete = Promise.resolve(); // of a stream

  function forward(request, body) {
    return new Promise((resolve, reject) => {
      const headers = { ...request.headers, 'content-length': body.length };
      delete headers['transfer-encoding'];
      delete headers.connection;
      const options = { host: LOOPBACK, port, agent, method: request.method, path: request.url, headers };
      const sent = http.request(options, resolve);
      sent.setTimeout(IDLE_MILLISECONDS, () => sent.destroy(new Error('kinesis-local gave no answer')));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  async function change(request, body) {
    const answer = await whole(await forward(request, body));
    if (answer.status === 200) {
      await takeSnapshot();
    }
    return answer;
  }

  /**
   * Delete a stream, or answer as the service does where it cannot be deleted, one call after the other.
   *
   * kinesis-local answers so too, and 100 ms later deletes what has that name by then.
   */
  function deleteStream(request, body) {
    lastDelete = lastDelete
      .catch(() => {})
      .then(async () => (await refusalOfDelete(request, JSON.parse(body))) ?? change(request, body));
    return lastDelete;
  }

  async function refusalOfDelete(request, { StreamName, StreamARN, EnforceConsumerDeletion }) {
    const { method, url, headers } = request;
    const describing = { method, url, headers: { ...headers, 'x-amz-target': DESCRIBE } };
    const answer = await whole(await forward(describing, Buffer.from(JSON.stringify({ StreamName, StreamARN }))));
    if (answer.status !== 200) {
      return answer;
    }
    const { StreamStatus, ConsumerCount } = JSON.parse(answer.body).StreamDescriptionSummary;
    if (StreamStatus !== 'ACTIVE') {
      return failure(400, 'ResourceInUseException', `Stream ${StreamName ?? StreamARN} is ${StreamStatus}, not ACTIVE.`);
    }
    if (ConsumerCount > 0 && !EnforceConsumerDeletion) {
      const text = `Stream ${StreamName ?? StreamARN} has ${ConsumerCount} consumers; EnforceConsumerDeletion is not set.`;
      return failure(400, 'ResourceInUseException', text);
    }
    return undefined;
  }

  async function put(request, body) {
    const input = JSON.parse(body);
    const refused = refusal(input.Records ?? []);
    if (refused) {
      return refused;
    }
    const answer = await whole(await forward(request, body));
    if (answer.status === 200) {
      appendPut(journal, putOf(request, input, JSON.parse(answer.body)));
      await Promise.allSettled(changes); // a shard that a record went to may be newer than the snapshot
    }
    return answer;
  }

  async function handle(request, response) {
    const body = await bodyOf(request);
    const refused = refusalOf(request, body, keys);
    if (refused) {
      response.writeHead(refused.status, { ...refused.headers, 'content-length': refused.body.length });
      response.end(refused.body);
      return;
    }
    const operation = String(request.headers['x-amz-target']).split('.').pop();
    if (READS.test(operation) || request.method !== 'POST') {
      const answer = await forward(request, body);
      response.on('close', () => answer.destroy());
      response.writeHead(answer.statusCode, endToEnd(answer.headers));
      answer.on('error', () => response.destroy()).pipe(response);
      return;
    }
    const isJson = request.headers['content-type'] === JSON_TYPE;
    const isPut = isJson && PUTS.has(operation);
    const isDelete = isJson && operation === DELETE;
    const act = isPut ? put : isDelete ? deleteStream : change;
    const doing = isDelete ? act(request, body) : refusalOfFullDisk(folder, body) ?? act(request, body);
    if (!isPut) {
      changes.add(doing);
      doing.catch(() => {}).finally(() => changes.delete(doing));
    }
    const answer = await doing;
    response.writeHead(answer.status, { ...endToEnd(answer.headers), 'content-length': answer.body.length });
    response.end(answer.body);
  }

  const server = http.createServer((request, response) => {
    handle(request, response).catch((error) => {
      console.error(`${request.headers['x-amz-target']}: ${error.message}`);
      response.destroy(); // what was done is not known, and so nothing is said
    });
  });
  server.keepAliveTimeout = IDLE_MILLISECONDS;
  server.listen(publicPort, LOOPBACK);
}

async function bodyOf(stream) {
  const parts = [];
  let size = 0;
  for await (const part of stream) {
    size += part.length;
    if (size > MAX_BODY_BYTES) {
      throw new Error(`a body of more than ${MAX_BODY_BYTES} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function whole(answer) {
  return { status: answer.statusCode, headers: answer.headers, body: await bodyOf(answer) };
}

function endToEnd(headers) {
  const { connection, 'keep-alive': keepAlive, 'transfer-encoding': encoding, ...rest } = headers;
  return rest;
}

/** Return the answer to a PutRecords that is too large, as the service gives it. */
function refusal(records) {
  const bytes = records.reduce((sum, { Data: data, PartitionKey: key }) => {
    return sum + Buffer.byteLength(data, 'base64') + Buffer.byteLength(key);
  }, 0);
  if (records.length <= MAX_RECORDS && bytes <= MAX_REQUEST_BYTES) {
    return undefined;
  }
  const [code, message] =
    records.length > MAX_RECORDS
      ? ['ValidationException', `Value at 'records' failed to satisfy constraint: Member must have length less than or equal to ${MAX_RECORDS}`]
      : ['InvalidArgumentException', `Records size exceeds ${MAX_REQUEST_BYTES} bytes`];
  return failure(400, code, message);
}

/** Return the answer to a change that the disk has no room for, or undefined; clients try a 500 again. */
function refusalOfFullDisk(folder, body) {
  const { bavail, bsize } = fs.statfsSync(folder);
  const { snapshot, journal } = files(folder);
  // What the next start writes, twice, before it deletes the journal: else a full disk would keep it from starting.
  const stored = fs.statSync(snapshot).size + fs.statSync(journal).size + body.length;
  const needed = MIN_FREE_BYTES + 2 * stored;
  return bavail * bsize >= needed
    ? undefined
    : Promise.resolve(failure(500, 'InternalFailure', `The disk of ${folder} is nearly full: delete something there.`));
}

function failure(status, code, message) {
  const body = Buffer.from(JSON.stringify({ __type: code, message }));
  return { status, headers: { 'content-type': JSON_TYPE }, body };
}

/** Return what the journal keeps of a put: the stream's ARN, the time, the encryption, and the accepted records. */
function putOf(request, input, answered) {
  const one = !input.Records;
  const records = one ? [input] : input.Records;
  const results = one ? [answered] : answered.Records;
  const accepted = results
    .map((result, index) => [result.ShardId, result.SequenceNumber, records[index].PartitionKey, records[index].Data])
    .filter(([shardId]) => shardId);
  return [arnOf(request, input), Date.now() / 1000, answered.EncryptionType ?? 'NONE', accepted];
}

function arnOf(request, { StreamARN: arn, StreamName: name }) {
  const [, key, region] = /Credential=([^/]+)\/\d+\/([^/]+)\//.exec(request.headers.authorization ?? '') ?? [];
  const account = /^\d{12}$/.test(key ?? '') ? key : ACCOUNT;
  return arn ?? `arn:aws:kinesis:${region ?? process.env.AWS_REGION}:${account}:stream/${name}`;
}

module.exports = { serve };
