// Makes the pictures of Chromium small: at most 256 colours, as an indexed PNG.

import * as zlib from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});
// Node.js 20 has none yet.
const crc32 = zlib.crc32 ?? ((bytes) => {
  let value = 0xffffffff;
  for (const byte of bytes) value = (value >>> 8) ^ table[(value ^ byte) & 0xff];
  return (value ^ 0xffffffff) >>> 0;
});

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const head = Buffer.alloc(4), sum = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body, sum]);
}

// The colours of the pixels, row by row, each as one number.
function decode(png) {
  let at = SIGNATURE.length, head;
  const data = [];
  while (at < png.length) {
    const length = png.readUInt32BE(at), type = png.toString("latin1", at + 4, at + 8), body = png.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") head = { width: body.readUInt32BE(0), height: body.readUInt32BE(4), depth: body[8], kind: body[9] };
    if (type === "IDAT") data.push(body);
    at += length + 12;
  }
  const { width, height, depth, kind } = head;
  const channels = { 2: 3, 6: 4 }[kind];
  if (depth !== 8 || !channels) throw new Error(`a PNG of kind ${kind} with ${depth} bits`);
  const raw = zlib.inflateSync(Buffer.concat(data)), stride = width * channels;
  const pixels = new Uint32Array(width * height);
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (stride + 1)], line = raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    for (let x = 0; x < stride; x += 1) {
      const left = x >= channels ? line[x - channels] : 0, up = above[x], corner = x >= channels ? above[x - channels] : 0;
      if (filter === 1) line[x] += left;
      else if (filter === 2) line[x] += up;
      else if (filter === 3) line[x] += (left + up) >> 1;
      else if (filter === 4) {
        const guess = left + up - corner, a = Math.abs(guess - left), b = Math.abs(guess - up), c = Math.abs(guess - corner);
        line[x] += a <= b && a <= c ? left : b <= c ? up : corner;
      }
    }
    for (let x = 0; x < width; x += 1) pixels[y * width + x] = (line[x * channels] << 16) | (line[x * channels + 1] << 8) | line[x * channels + 2];
    above = line;
  }
  return { width, height, pixels };
}

// The most frequent colours, but none that is hardly different from one that is more frequent.
function paletteOf(pixels) {
  const counts = new Map();
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour);
  for (const least of [4, 8, 14, 22, 32]) {
    const palette = [];
    for (const colour of sorted) {
      if (palette.length === 256) break;
      if (palette.every((other) => distance(colour, other) >= least * least)) palette.push(colour);
    }
    if (palette.length < 256) return palette;
  }
  return sorted.slice(0, 256);
}

const distance = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;

export function reduced(png) {
  const { width, height, pixels } = decode(png);
  const palette = paletteOf(pixels), nearest = new Map();
  const index = (colour) => {
    if (!nearest.has(colour)) {
      let best = 0;
      for (let n = 1; n < palette.length; n += 1) if (distance(colour, palette[n]) < distance(colour, palette[best])) best = n;
      nearest.set(colour, best);
    }
    return nearest.get(colour);
  };
  const lines = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) lines[y * (width + 1) + 1 + x] = index(pixels[y * width + x]);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  return Buffer.concat([SIGNATURE, chunk("IHDR", head), chunk("PLTE", colours), chunk("IDAT", zlib.deflateSync(lines, { level: 9 })), chunk("IEND", Buffer.alloc(0))]);
}
