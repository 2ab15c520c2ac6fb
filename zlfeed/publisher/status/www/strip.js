// The timecode strip in the picture: when it was captured, read from its pixels as zlfeed/timecode.py does. Pure.

const CELLS = 80, THRESHOLD = 128;
const TIME_MODULUS = 2 ** 48;
/** Narrower pictures have no strip. */
export const MIN_WIDTH = 320;
export const FRAME_MODULUS = 2 ** 16;

/** The rows that are read of a picture so high, [first, last). */
export function rows(height) {
  const first = Math.max(1, Math.round(height * 0.002));
  return [first, Math.max(first + 1, Math.round(height * 0.007) + 1)];
}

/** The strip's share of the picture's height, which a viewer need not see. */
export function share(height) {
  return Math.max(16, Math.floor(height / 60 / 16) * 16) / height;
}

/** {timeUs, frame} in the RGBA pixels of those rows, `width` wide; null where there is no strip or it is unreadable. */
export function read(pixels, width) {
  if (width < MIN_WIDTH) return null;
  const height = pixels.length / 4 / width, bytes = new Uint8Array(CELLS / 8);
  for (let cell = 0; cell < CELLS; cell++) {
    const left = Math.ceil((cell + 0.25) * width / CELLS);
    const right = Math.max(left + 1, Math.floor((cell + 0.75) * width / CELLS));
    let sum = 0;
    for (let y = 0; y < height; y++) {
      for (let x = left; x < right; x++) sum += pixels[(y * width + x) * 4 + 1];
    }
    if (sum > (right - left) * height * THRESHOLD) bytes[cell >> 3] |= 128 >> (cell & 7);
  }
  const number = (from, to) => bytes.subarray(from, to).reduce((value, byte) => value * 256 + byte, 0);
  if (crc(bytes.subarray(0, 8)) !== number(8, 10)) return null;
  return {timeUs: number(0, 6), frame: number(6, 8)};
}

/** CRC-16/CCITT-FALSE. */
export function crc(bytes) {
  let value = 0xffff;
  for (const byte of bytes) {
    value ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) value = value & 0x8000 ? ((value << 1) ^ 0x1021) & 0xffff : (value << 1) & 0xffff;
  }
  return value;
}

/** The full time whose 48 low bits are `timeUs` and which lies nearest to `nearUs`. */
export function unwrap(timeUs, nearUs) {
  return timeUs + Math.round((nearUs - timeUs) / TIME_MODULUS) * TIME_MODULUS;
}
