// The same trace and span IDs in JavaScript: docs/identity.md in code, without a dependency.
//
// As a module: import {derive} from "./ids.mjs"; derive("auto", "order-7", 16) is 32 hex digits, or null when refused.
// As a program it reads [[scheme, text, bytes], …] from standard input; the tests give it the published vectors.

import {createHash} from "node:crypto";
import {readFileSync} from "node:fs";
import {fileURLToPath} from "node:url";

const LONGEST = 512;
const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/s;

const hash = (text, size) => createHash("sha256").update(text, "utf8").digest("hex").slice(0, 2 * size);
const hex = (text, size) => (/^[0-9a-f]+$/i.test(text) && text.length <= 2 * size ? text.toLowerCase() : null);

function decimal(text, bits) {
  if (!/^[0-9]+$/.test(text)) return null;
  const number = BigInt(text);
  return number >> BigInt(bits) ? null : number.toString(16);
}

function uuid(text) {
  const inner = text.replace(/^urn:uuid:/i, "");
  const bare = inner === text ? text.replace(/^\{(.*)\}$/s, "$1") : inner;
  return UUID.test(bare) || /^[0-9a-f]{32}$/i.test(bare) ? bare.replaceAll("-", "").toLowerCase() : null;
}

function ulid(text) {
  const digits = [...text.toUpperCase()].map((character) => CROCKFORD.indexOf(character));
  if (text.length !== 26 || digits.some((digit) => digit < 0) || digits[0] > 7) return null;
  return digits.reduce((number, digit) => number * 32n + BigInt(digit), 0n).toString(16);
}

function xray(text) {
  const root = text.includes("=") ? /(?:^|;)\s*Root=([^;]*)/.exec(text)?.[1].trim() : text;
  const found = /^1-([0-9a-f]{8})-([0-9a-f]{24})$/i.exec(root ?? "");
  return found && (found[1] + found[2]).toLowerCase();
}

function gcp(text) {
  const found = /^([0-9a-f]{32})(?:\/([0-9]+))?(?:;o=[0-9]{1,3})?$/i.exec(text);
  return found && (found[2] === undefined || decimal(found[2], 64) !== null) ? found[1].toLowerCase() : null;
}

function uber(text) {
  const [trace, ...rest] = text.replace(/%3a/gi, ":").split(":");
  const whole = rest.length === 3 && rest.every((part) => /^[0-9a-f]{0,16}$/i.test(part));
  return rest.length === 0 || whole ? hex(trace, 16) : null;
}

function datadog(text, size) {
  const found = /^([0-9]+)(?:[,; ] ?_dd\.p\.tid=([0-9a-f]{16}))?$/i.exec(text);
  const low = found && decimal(found[1], 64);
  if (!low || BigInt(found[1]) === 0n || (size === 8 && found[2] !== undefined)) return null;
  return ((found[2] ?? "") + low.padStart(16, "0")).toLowerCase();
}

const traceparent = (text) => {
  const found = TRACEPARENT.exec(text);
  return found && !(text.startsWith("00") && found[2] !== undefined) ? found[1] : null;
};

const TRACE_SCHEMES = {
  hash, hex, uuid, ulid, xray, gcp, uber, datadog, traceparent,
  decimal: (text) => decimal(text, 128),
  snowflake: (text) => decimal(text, 64),
  objectid: (text) => (text.length === 24 ? hex(text, 16) : null),
  mlflow: (text) => (/^tr-[0-9a-f]{32}$/i.test(text) ? text.slice(3).toLowerCase() : null),
  auto(text) {
    if (text.length === 32 || text.length === 16) return hex(text, 16) ?? hash(text, 16);
    if (UUID.test(text)) return uuid(text);
    return (text.includes("=") ? null : xray(text)) ?? TRACE_SCHEMES.mlflow(text) ?? traceparent(text) ?? hash(text, 16);
  },
};
const SPAN_SCHEMES = {
  hash, hex, datadog,
  decimal: (text) => decimal(text, 64),
  snowflake: (text) => decimal(text, 64),
  auto: (text) => (text.length === 16 ? hex(text, 8) : null) ?? hash(text, 8),
};

/** Return the ID as hex digits of `size` bytes (16 for a trace, 8 for a span), or null for what the scheme refuses. */
export function derive(scheme, text, size) {
  if (text.length === 0 || [...text].length > LONGEST) return null;
  const digits = (size === 16 ? TRACE_SCHEMES : SPAN_SCHEMES)[scheme]?.(text, size)?.padStart(2 * size, "0");
  return digits && /[^0]/.test(digits) ? digits : null;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lines = JSON.parse(readFileSync(0, "utf8"));
  console.log(JSON.stringify(lines.map(([scheme, text, size]) => derive(scheme, text, size))));
}
