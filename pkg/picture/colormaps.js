// @ts-check
// Colour maps as a few anchors, evenly spaced, interpolated in sRGB. viridis, inferno and cividis
// are matplotlib's (CC0), sampled at 17 points; all three are perceptually even and safe for
// colour-blind readers. blue-white-red is ColorBrewer's RdBu, its white at zero.

import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';
import { own } from '../util/text.js';

/** @type {Record<string, { diverging: boolean, anchors: string }>} */
export const COLORMAPS = {
  viridis: {
    diverging: false,
    anchors:
      '440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725',
  },
  inferno: {
    diverging: false,
    anchors:
      '000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4',
  },
  cividis: {
    diverging: false,
    anchors:
      '00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 8c8878 9b9476 aba072 bcae6c cdbb63 dec958 f0d846 fee838',
  },
  'blue-white-red': { diverging: true, anchors: '053061 2166ac 4393c3 92c5de f7f7f7 f4a582 d6604d b2182b 67001f' },
};

/** @type {Map<string, Uint8ClampedArray>} */
const tables = new Map();

/** 256 RGB triples. @param {string} colormap */
export function table(colormap) {
  let rgb = tables.get(colormap);
  const map = own(COLORMAPS, colormap);
  if (!map)
    throw new SightlineError(
      'bad-option',
      `colormap must be one of ${Object.keys(COLORMAPS).join(', ')}; got "${quote(colormap)}"`,
    );
  if (!rgb) {
    const anchors = map.anchors.split(' ').map((hex) => [0, 2, 4].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)));
    rgb = new Uint8ClampedArray(768);
    for (let i = 0; i < 256; i++) {
      const at = (i / 255) * (anchors.length - 1);
      const left = Math.min(Math.floor(at), anchors.length - 2);
      for (let c = 0; c < 3; c++) {
        const [a = 0, b = 0] = [anchors[left]?.[c], anchors[left + 1]?.[c]];
        rgb[i * 3 + c] = Math.round(a + (b - a) * (at - left));
      }
    }
    tables.set(colormap, rgb);
  }
  return rgb;
}
