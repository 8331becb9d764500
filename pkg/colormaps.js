// @ts-check
// Colour maps as a few anchors, evenly spaced, interpolated in sRGB. viridis, inferno and cividis are matplotlib's (CC0), sampled at nine points;
// all three are perceptually even and safe for colour-blind readers. blue-white-red has its white at zero.

/** @type {Record<string, { diverging: boolean, anchors: string[] }>} */
export const COLORMAPS = {
  viridis: { diverging: false, anchors: ['440154', '472d7b', '3b528b', '2c728e', '21918c', '28ae80', '5ec962', 'addc30', 'fde725'] },
  inferno: { diverging: false, anchors: ['000004', '210c4a', '57106e', '8a226a', 'bc3754', 'e45a31', 'f98e09', 'f9cb35', 'fcffa4'] },
  cividis: { diverging: false, anchors: ['00224e', '123570', '3b496c', '575d6d', '707173', '8a8678', 'a59c74', 'c3b369', 'fee838'] },
  'blue-white-red': {
    diverging: true,
    anchors: ['053061', '2166ac', '4393c3', '92c5de', 'f7f7f7', 'f4a582', 'd6604d', 'b2182b', '67001f'],
  },
};

/** @type {Map<string, Uint8ClampedArray>} */
const tables = new Map();

/** 256 RGB triples. @param {string} name */
export function table(name) {
  let rgb = tables.get(name);
  const map = COLORMAPS[name];
  if (!map) return undefined;
  if (!rgb) {
    const anchors = map.anchors.map((hex) => [0, 2, 4].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)));
    rgb = new Uint8ClampedArray(768);
    for (let i = 0; i < 256; i++) {
      const at = (i / 255) * (anchors.length - 1);
      const left = Math.min(Math.floor(at), anchors.length - 2);
      for (let c = 0; c < 3; c++) {
        const [a = 0, b = 0] = [anchors[left]?.[c], anchors[left + 1]?.[c]];
        rgb[i * 3 + c] = Math.round(a + (b - a) * (at - left));
      }
    }
    tables.set(name, rgb);
  }
  return rgb;
}
