// @ts-check
// A map's numbers as NumPy reads them.

/** @typedef {import('../index.js').Attribution} Attribution */

/** @param {Pick<Attribution, 'values' | 'shape'>} attribution */
export function toNpy({ values, shape }) {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  // Magic, version 1.0 and the header's length are 10 bytes; the data begin at a multiple of 64,
  // behind a line feed.
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const bytes = new Uint8Array(length + values.length * 4);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  view.setUint16(8, length - 10, true);
  bytes.set(new TextEncoder().encode(`${dict.padEnd(length - 11)}\n`), 10);
  values.forEach((v, i) => view.setFloat32(length + i * 4, v, true));
  return bytes;
}
