// kinesis-local 0.6.2 groups the records of a PutRecords by all that their shard holds, and so hashes every stored
// record once for each new one: 500 took 2.3 s with 15,000 in the shard, and take 0.1 s with this. Long vectors are
// distinguished by their length, and by comparing them where that is equal.
'use strict';

const Module = require('node:module');

const START = '$s_Lkinesis_mock_KinesisMockService__main__AT__V(new ($d_T.r().C)([]));';
// In the compiled names of this one version g is hashCode and y is length.
const FASTER = `{
  const hash = $h_sci_Vector.prototype.g;
  $h_sci_Vector.prototype.g = function () {
    return this.y() > 32 ? this.y() : hash.call(this);
  };
}
`;
const compile = Module.prototype._compile;

Module.prototype._compile = function compileFaster(source, file) {
  if (!file.endsWith('kinesis-local/main.js')) {
    return compile.call(this, source, file);
  }
  const start = source.lastIndexOf(START);
  if (start < 0) {
    throw new Error(`${file} is not the kinesis-local 0.6.2 that sandbox/servers/kinesis/node/speed.cjs was written for.`);
  }
  return compile.call(this, source.slice(0, start) + FASTER + source.slice(start), file);
};
