// Files as torch.save writes them: zip archives of a pickle and the raw values of the storages,
// made here from safetensors files.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { golden } from './harness.mjs';

/**
 * An uncompressed zip archive (APPNOTE 6.3), without checksums, which nobody reads.
 * @param {[string, Buffer][]} entries
 */
function zip(entries) {
  const [body, directory] = [[], []];
  let at = 0;
  for (const [name, data] of entries) {
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(data.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    body.push(Buffer.from('PK\x03\x04'), fields, Buffer.from(name), data);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, place, Buffer.from(name));
    at += 30 + name.length + data.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(Buffer.concat(directory).length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...body, ...directory, Buffer.from('PK\x05\x06'), end]);
}

/**
 * A file of torch.save whose data.pkl is this one.
 * @param {Buffer} pickle
 * @param {Buffer[]} storages
 */
export const torchFile = (pickle, storages = []) =>
  zip([
    ['archive/data.pkl', pickle],
    ...storages.map((data, i) => /** @type {[string, Buffer]} */ ([`archive/data/${i}`, data])),
  ]);

const STORAGES = { F16: ['HalfStorage', 2], F32: ['FloatStorage', 4], I64: ['LongStorage', 8] };
const bytes = (...parts) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
/** Pickle's BINUNICODE, BININT and a tuple, by their opcodes in Python's pickletools. */
const text = (words) => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(words.length);
  return bytes('X', length, words);
};
const integer = (value) => {
  const four = Buffer.alloc(4);
  four.writeInt32LE(value);
  return bytes('J', four);
};
const tuple = (...items) => bytes('(', ...items, 't');

/** The state dict of a safetensors file, as torch.save writes it. @param {Buffer} file */
export function stateDict(file) {
  const start = 8 + Number(file.readBigUInt64LE());
  const { __metadata__, ...header } = JSON.parse(file.subarray(8, start).toString());
  const storages = [];
  const items = Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ]) => {
      const [storage, width] = STORAGES[dtype];
      const id = tuple(
        text('storage'),
        `ctorch\n${storage}\n`,
        text(String(storages.length)),
        text('cpu'),
        integer((to - from) / width),
      );
      storages.push(file.subarray(start + from, start + to));
      const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
      const [sizes, steps] = [shape, strides].map((list) => tuple(...list.map(integer)));
      const rest = tuple(id, 'Q', integer(0), sizes, steps, '\x89', 'ccollections\nOrderedDict\n)R');
      return bytes(text(name), 'ctorch._utils\n_rebuild_tensor_v2\n', rest, 'R');
    },
  );
  return torchFile(bytes('\x80\x02}(', ...items, 'u.'), storages);
}

/** What loading runs a command with, where a pickle is executed. @param {string} command */
export const hostile = (command) => torchFile(bytes('\x80\x02cposix\nsystem\n', tuple(text(command)), 'R.'));

/**
 * PyTorch's own file of the package tiny-vit, put together from its frame and the package's
 * weights.
 */
export function savedVit() {
  const weights = readFileSync(join(golden, 'packages/tiny-vit/model.safetensors'));
  const start = 8 + Number(weights.readBigUInt64LE());
  const header = JSON.parse(weights.subarray(8, start).toString());
  const frame = readFileSync(join(golden, 'pth/tiny-vit.shell'));
  const { cuts } = JSON.parse(readFileSync(join(golden, 'pth/tiny-vit.json')).toString());
  const parts = [];
  let [at, size] = [0, 0];
  for (const [cut, name] of cuts) {
    const before = frame.subarray(at, at + cut - size);
    const [from, to] = header[name].data_offsets;
    parts.push(before, weights.subarray(start + from, start + to));
    at += before.length;
    size = cut + to - from;
  }
  return Buffer.concat([...parts, frame.subarray(at)]);
}
