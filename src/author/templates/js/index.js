// Greets, and counts the messages of a conversation.

import * as stateStore from "greentic:state/state-store@1.0.0";

export const schemaCoreApi = {
  // What the component is. Flows may call the operations in `ops`.
  describe() {
    return toBytes({ provider_type: "my-component", capabilities: [], ops: ["greet", "count"] });
  },

  // Whether a configuration will do. This component needs none.
  validateConfig(config) {
    return toBytes({ ok: true });
  },

  // Whether the component could work now.
  healthcheck() {
    return toBytes({ status: "ok" });
  },

  // Carries out one operation.
  invoke(op, input) {
    try {
      switch (op) {
        case "greet":
          return toBytes(greet(fromBytes(input)));
        case "count":
          return toBytes(count());
        default:
          throw new Failure("unknown_op", "the operations are greet and count");
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return toBytes({ ok: false, error: { code: error.code, message: error.message } });
    }
  },
};

// Why an operation failed. A flow sees it as `error`.
class Failure extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

function greet(input) {
  const name = input?.text;
  if (typeof name !== "string" || name === "") throw new Failure("bad_input", "tell me your name");
  return { text: `Hello, ${name}!` };
}

// How often it was called in this conversation. What is written is kept only if the call ends well.
function count() {
  const now = read("count") + 1;
  stateStore.write("count", utf8(String(now)), undefined);
  return { count: now };
}

function read(key) {
  try {
    return Number(text(stateStore.read(key, undefined)));
  } catch (error) {
    if (error.payload?.code === "not_found") return 0;
    throw new Failure("state", error.payload?.message ?? String(error));
  }
}

// JSON in UTF-8; no bytes stand for null. The engine has no TextEncoder.
function toBytes(value) {
  return utf8(JSON.stringify(value));
}

function fromBytes(bytes) {
  return bytes.length === 0 ? null : JSON.parse(text(bytes));
}

function utf8(text) {
  const hex = encodeURIComponent(text).match(/%..|[^]/g) ?? [];
  return Uint8Array.from(hex, (part) => (part.length === 3 ? parseInt(part.slice(1), 16) : part.charCodeAt(0)));
}

function text(bytes) {
  return decodeURIComponent(Array.from(bytes, (byte) => "%" + byte.toString(16).padStart(2, "0")).join(""));
}
