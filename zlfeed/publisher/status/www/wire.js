// The status protocol's bytes (proto/zlfeed.proto): protobuf, as far as its messages need it. Pure.
// `fields` is what the publisher says of its messages: {Message: {number: [name, type, occurs]}}.

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;
const PLAIN = {string: "", bytes: new Uint8Array(), bool: false};

/** A message's bytes as an object. Unknown fields are passed over; what is absent and optional is undefined. */
export function decode(fields, type, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const known = fields[type], message = {};
  for (const [name, kind, occurs] of Object.values(known)) {
    if (occurs === "repeated") message[name] = [];
    else if (occurs === "map") message[name] = {};
    else if (occurs === "plain") message[name] = PLAIN[kind] ?? 0;
  }
  let at = 0;
  // Of numbers up to 2^53, which microseconds since 1970 stay within.
  const varint = () => {
    let value = 0, factor = 1, byte;
    do {
      byte = view.getUint8(at++);
      value += (byte & 0x7f) * factor;
      factor *= 128;
    } while (byte & 0x80);
    return value;
  };
  const scalar = (kind, wire) => {
    if (wire === FIXED64) return view.getFloat64((at += 8) - 8, true);
    if (wire === FIXED32) return view.getFloat32((at += 4) - 4, true);
    const value = varint();
    if (kind === "bool") return value !== 0;
    return kind === "sint64" ? (value % 2 ? -(value + 1) / 2 : value / 2) : value;
  };
  while (at < bytes.length) {
    const tag = varint(), wire = tag & 7, [name, kind, occurs] = known[Math.floor(tag / 8)] ?? [];
    let value;
    if (wire === BYTES) {
      const length = varint(), part = bytes.subarray(at, at + length), end = at + length;
      if (end > bytes.length) throw new RangeError("a message that is cut off");
      if (kind === "string") value = new TextDecoder().decode(part);
      else if (kind === "bytes") value = part;
      else if (kind in fields) value = decode(fields, kind, part);
      else if (occurs === "repeated") while (at < end) message[name].push(scalar(kind, wireOf(kind)));
      at = end;
    } else {
      value = scalar(kind, wire);
    }
    if (name === undefined || value === undefined) continue;
    if (occurs === "repeated") message[name].push(value);
    else if (occurs === "map") message[name][value.key] = value.value;
    else message[name] = value;
  }
  return message;
}

function wireOf(kind) {
  return kind === "double" ? FIXED64 : VARINT;
}

/** An object as a message's bytes; what is undefined or null is left out. */
export function encode(fields, type, message) {
  const out = [];
  const varint = (value) => {
    while (value >= 128) {
      out.push((value % 128) | 128);
      value = Math.floor(value / 128);
    }
    out.push(value);
  };
  const scalar = (kind, value) => {
    if (kind === "double") out.push(...new Uint8Array(new Float64Array([value]).buffer));
    else if (kind === "sint64") varint(value < 0 ? -2 * value - 1 : 2 * value);
    else varint(Number(value));
  };
  for (const [number, [name, kind, occurs]] of Object.entries(fields[type])) {
    if (message[name] === undefined || message[name] === null) continue;
    for (const value of occurs === "repeated" ? message[name] : [message[name]]) {
      const long = kind === "string" || kind === "bytes" || kind in fields;
      varint(Number(number) * 8 + (long ? BYTES : wireOf(kind)));
      if (!long) {
        scalar(kind, value);
        continue;
      }
      const part = kind === "string" ? new TextEncoder().encode(value)
        : kind === "bytes" ? value : encode(fields, kind, value);
      varint(part.length);
      for (const byte of part) out.push(byte);
    }
  }
  return Uint8Array.from(out);
}
