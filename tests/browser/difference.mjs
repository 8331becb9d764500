// How differently people see two pictures: CIEDE2000 (Sharma, Wu and Dalal 2005, doi
// 10.1002/col.20070) pixel by pixel.

const linear = Float64Array.from({ length: 256 }, (_, v) =>
  v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
);
const root = (v) => (v > 216 / 24389 ? Math.cbrt(v) : (v * 24389) / 27 / 116 + 16 / 116);

/** CIELAB of an sRGB colour (0 to 255 each), white D65. */
export function lab(r, g, b) {
  const [R, G, B] = [linear[r], linear[g], linear[b]];
  const x = root((0.4124564 * R + 0.3575761 * G + 0.1804375 * B) / 0.95047);
  const y = root(0.2126729 * R + 0.7151522 * G + 0.072175 * B);
  const z = root((0.0193339 * R + 0.119192 * G + 0.9503041 * B) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const degrees = 180 / Math.PI;
const cos = (angle) => Math.cos(angle / degrees);
const sin = (angle) => Math.sin(angle / degrees);
const seventh = (c) => Math.sqrt(c ** 7 / (c ** 7 + 25 ** 7));

/** The CIEDE2000 difference of two CIELAB colours; about 1 can just be seen. */
export function ciede2000([L1, a1, b1], [L2, a2, b2]) {
  const G = 0.5 * (1 - seventh((Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2));
  const [A1, A2] = [(1 + G) * a1, (1 + G) * a2];
  const [C1, C2] = [Math.hypot(A1, b1), Math.hypot(A2, b2)];
  const hue = (a, b) => (a === 0 && b === 0 ? 0 : (Math.atan2(b, a) * degrees + 360) % 360);
  const [h1, h2] = [hue(A1, b1), hue(A2, b2)];
  const grey = C1 * C2 === 0;
  const turn = h2 - h1;
  const dh = grey ? 0 : Math.abs(turn) <= 180 ? turn : turn > 180 ? turn - 360 : turn + 360;
  const [dL, dC, dH] = [L2 - L1, C2 - C1, 2 * Math.sqrt(C1 * C2) * sin(dh / 2)];
  const [L, C] = [(L1 + L2) / 2, (C1 + C2) / 2];
  const h = grey
    ? h1 + h2
    : Math.abs(turn) <= 180
      ? (h1 + h2) / 2
      : h1 + h2 < 360
        ? (h1 + h2 + 360) / 2
        : (h1 + h2 - 360) / 2;
  const T = 1 - 0.17 * cos(h - 30) + 0.24 * cos(2 * h) + 0.32 * cos(3 * h + 6) - 0.2 * cos(4 * h - 63);
  const SL = 1 + (0.015 * (L - 50) ** 2) / Math.sqrt(20 + (L - 50) ** 2);
  const SC = 1 + 0.045 * C;
  const SH = 1 + 0.015 * C * T;
  const RT = -sin(60 * Math.exp(-(((h - 275) / 25) ** 2))) * 2 * seventh(C);
  const [l, c, t] = [dL / SL, dC / SC, dH / SH];
  return Math.sqrt(l * l + c * c + t * t + RT * c * t);
}

/** What can be seen at a glance, side by side. */
const SEEN = 5;

/**
 * Of two pictures of one size, as RGBA bytes.
 * @returns {{ mean: number, seen: number, each: Float32Array }} the mean difference, and the share
 *   of pixels (0 to 1) where it is above 5
 */
export function difference(a, b) {
  const each = new Float32Array(a.length / 4);
  for (let i = 0; i < each.length; i++) {
    const at = i * 4;
    each[i] = ciede2000(lab(a[at], a[at + 1], a[at + 2]), lab(b[at], b[at + 1], b[at + 2]));
  }
  return {
    mean: each.reduce((sum, v) => sum + v, 0) / each.length,
    seen: each.filter((v) => v > SEEN).length / each.length,
    each,
  };
}
