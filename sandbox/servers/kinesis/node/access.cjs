// Who may speak to Kinesis: no web page, and only a client that signs. As sandbox/run/access/, for Node.
'use strict';

const crypto = require('node:crypto');

const ALGORITHM = 'AWS4-HMAC-SHA256';
const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);
const OWN_SITES = new Set(['same-origin', 'none']);
const MAX_SKEW_MILLISECONDS = 15 * 60 * 1000; // the service's own
const ERROR_TYPE = 'application/x-amz-json-1.1';

const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => crypto.createHmac('sha256', key).update(data).digest();

/** Return why a request is not one of a local program, or undefined where it may pass. */
function refusalOfPage({ method, headers }) {
  const host = headers.host ?? '';
  if (!LOOPBACK_NAMES.has(host.replace(/:\d+$/, ''))) {
    return `Host is ${JSON.stringify(host)}: this server answers on 127.0.0.1 and localhost only.`;
  }
  if (headers.origin !== undefined) {
    return `Origin is ${JSON.stringify(headers.origin)}: this server answers no page of another origin.`;
  }
  if (!OWN_SITES.has(headers['sec-fetch-site'] ?? 'none')) {
    return 'This server answers no page of another site.';
  }
  return method === 'OPTIONS' ? 'This server answers no CORS preflight.' : undefined;
}

/** Return the refusal of a request that is not signed with these keys, as the service gives it, or undefined. */
function refusalOfSignature({ method, url, headers }, body, keys) {
  const authorization = String(headers.authorization ?? '');
  const [, accessKey, date, region, service, names, given] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization,
    ) ?? [];
  if (!accessKey) {
    return ['MissingAuthenticationTokenException', 'Missing Authentication Token'];
  }
  if (accessKey !== keys.accessKey) {
    return ['UnrecognizedClientException', 'The security token included in the request is invalid.'];
  }
  const timestamp = String(headers['x-amz-date'] ?? '');
  const signedAt = Date.parse(timestamp.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'));
  if (!(Math.abs(Date.now() - signedAt) <= MAX_SKEW_MILLISECONDS)) {
    return ['InvalidSignatureException', `Signature expired or malformed: X-Amz-Date is ${timestamp}.`];
  }
  const signed = names.split(';');
  const [path, query = ''] = url.split('?');
  const canonical = [
    method,
    path,
    query.split('&').sort().join('&'),
    ...signed.map((name) => `${name}:${String(headers[name] ?? '').trim().replace(/\s+/g, ' ')}`),
    '',
    names,
    headers['x-amz-content-sha256'] ?? sha256(body),
  ].join('\n');
  const scope = `${date}/${region}/${service}/aws4_request`;
  const key = [date, region, service, 'aws4_request'].reduce(hmac, `AWS4${keys.secretKey}`);
  const expected = hmac(key, [ALGORITHM, timestamp, scope, sha256(canonical)].join('\n')).toString('hex');
  const matches = signed.includes('host') && crypto.timingSafeEqual(Buffer.from(expected), Buffer.from(given));
  return matches
    ? undefined
    : ['InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.'];
}

/** Return the answer to a request that may not pass, or undefined. */
function refusalOf(request, body, keys) {
  const page = refusalOfPage(request);
  if (page) {
    return { status: 403, headers: { 'content-type': 'text/plain' }, body: Buffer.from(page) };
  }
  const unsigned = refusalOfSignature(request, body, keys);
  if (unsigned) {
    const [code, message] = unsigned;
    return { status: 400, headers: { 'content-type': ERROR_TYPE }, body: Buffer.from(JSON.stringify({ __type: code, message })) };
  }
  return undefined;
}

module.exports = { refusalOf };
