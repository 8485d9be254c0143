// What stands between the host and a snippet. Payloads come in and go out as JSON text.
//
// What JSON cannot say travels as a mapping with the single key TAG: bytes in hexadecimal,
// integers that a number cannot hold, and failures. The host says whether a text has any.
(() => {
  'use strict';
  const TAG = '\u0000penstock';
  const { parse, stringify } = JSON;

  class Failure extends Error {
    constructor({ code, message, node, details, remedy }) {
      super(message);
      Object.assign(this, { code, node, details, remedy });
    }
    error() {
      return this.message;
    }
  }

  const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const tagged = (type, value) => ({ [TAG]: { type, value } });

  function revive(_key, value) {
    const tag = value?.[TAG];
    if (tag === undefined) return value;
    if (tag.type === 'bytes') return fromHex(tag.value);
    if (tag.type === 'integer') return BigInt(tag.value);
    return new Failure(tag.value);
  }

  function describe(error) {
    const { name, message, node, details, remedy } = error;
    const code = typeof error.code === 'string' ? error.code : (name ?? 'thrown');
    return { code, message: String(message ?? stringify(error)), node, details, remedy };
  }

  function replace(key, found) {
    const value = this[key];
    if (typeof value === 'bigint') return tagged('integer', String(value));
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new TypeError(`a ${typeof value}${key && ` at \`${key}\``} has no JSON form`);
    }
    if (!(value instanceof Object)) return found;
    if (value instanceof Error) return tagged('error', describe(value));
    if (value instanceof Uint8Array) return tagged('bytes', toHex(value));
    if (value instanceof ArrayBuffer) return tagged('bytes', toHex(new Uint8Array(value)));
    if (value instanceof Map) return Object.fromEntries(value);
    if (value instanceof Set) return [...value];
    return found;
  }

  // Outcomes are text: `+` and the JSON of an answer, or `-` and the JSON of a failure.
  // Joined rather than added: the engine adds long text to a rope, which the host cannot read.
  const marked = (mark, text) => [mark, text].join('');

  function refuse(error) {
    // An engine that is out of memory throws null: it cannot make an error to say so.
    if (error === null) return '-{"name":"InternalError","message":"out of memory"}';
    if (!(error instanceof Object)) return marked('-', stringify({ code: 'thrown', message: String(error) }));
    const stack = error instanceof Failure ? '' : error.stack;
    const facts = { ...describe(error), name: error.name, stack };
    try {
      return marked('-', stringify(facts, replace));
    } catch {
      return marked('-', stringify({ ...facts, details: undefined }));
    }
  }

  function answer(value) {
    try {
      return marked('+', stringify(value, replace) ?? 'null');
    } catch (error) {
      if (!(error instanceof TypeError)) return refuse(error);
      return refuse({ code: 'snippet.result', message: error.message });
    }
  }

  let main;
  let outcome = null;

  const operations = {
    // Take the code: a function, or the default export of the module evaluated before.
    adopt(code) {
      main = code;
    },
    adoptModule() {
      import('<input>').then(
        (module) => { main = module.default; outcome = '+'; },
        (error) => { outcome = refuse(error); },
      );
    },
    callable: () => typeof main === 'function',
    // Answers null while a promise is open; `outcome` has it when all jobs are done.
    call(text, hasTags) {
      outcome = null;
      try {
        const args = hasTags ? parse(text, revive) : parse(text);
        let value = main(args);
        if (typeof value === 'function') value = value(args);
        if (typeof value?.then !== 'function') return answer(value);
        value.then(
          (found) => { outcome = answer(found); },
          (error) => { outcome = refuse(error); },
        );
        return null;
      } catch (error) {
        return refuse(error);
      }
    },
    outcome: () => outcome,
  };
  return (operation, ...args) => operations[operation](...args);
})()
