// The nets in tfjs's operations, from timm's weights: NHWC, batch norms folded into the
// convolutions, fused kernels where tfjs has them.
/* global tf */

/**
 * The tensors of a safetensors file as { data: Float32Array, shape }.
 * @param {ArrayBuffer} buffer
 */
export function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensors = new Map();
  for (const [name, { dtype, shape, data_offsets: range }] of Object.entries(header)) {
    if (name === '__metadata__' || !['F32', 'F16'].includes(dtype)) continue;
    const bytes = buffer.slice(8 + length + range[0], 8 + length + range[1]);
    tensors.set(name, {
      shape,
      data: dtype === 'F32' ? new Float32Array(bytes) : Float32Array.from(new Float16Array(bytes)),
    });
  }
  return tensors;
}

const BN_EPSILON = 1e-5;

/**
 * The weights of a convolution `[O, I, h, w]` with the batch norm behind it folded in: a filter
 * `[h, w, I, O]` (depthwise: `[h, w, O, 1]`) and a bias.
 */
function folded(weights, conv, norm) {
  const { shape, data } = weights.get(`${conv}.weight`);
  const [outputs, inputs, h, w] = shape;
  const of = (name) => weights.get(`${norm}.${name}`)?.data;
  const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(of);
  const scaled = new Float32Array(data.length);
  const bias = weights.get(`${conv}.bias`)?.data.slice() ?? new Float32Array(outputs);
  const size = inputs * h * w;
  for (let o = 0; o < outputs; o++) {
    const scale = gamma ? gamma[o] / Math.sqrt(variance[o] + BN_EPSILON) : 1;
    if (gamma) bias[o] = beta[o] + (bias[o] - mean[o]) * scale;
    for (let i = 0; i < size; i++) scaled[o * size + i] = data[o * size + i] * scale;
  }
  const depthwise = inputs === 1 && outputs > 1;
  const filter = tf.tidy(() => tf.transpose(tf.tensor4d(scaled, shape), depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]));
  return { filter, bias: tf.tensor1d(bias), depthwise };
}

/**
 * @typedef {{ stride?: number, dilation?: number, pad?: number | 'same', activation?: 'linear' |
 *   'relu' | 'relu6' }} Window
 */

/** A convolution with bias and activation as a function of x. */
function convolution(
  weights,
  conv,
  norm,
  /** @type {Window} */ { stride = 1, dilation = 1, pad = 0, activation = 'linear' } = {},
) {
  const { filter, bias, depthwise } = folded(weights, conv, norm);
  const window = [filter, stride, pad, 'NHWC', dilation];
  let [plain, fused] = [tf.conv2d, tf.fused.conv2d];
  if (depthwise) [plain, fused] = [tf.depthwiseConv2d, tf.fused.depthwiseConv2d];
  let convolve = (x) => plain(x, ...window);
  if (depthwise && tf.getBackend() === 'wasm') convolve = turnedGradient(convolve, tf.depthwiseConv2d, window);
  else if (dilation > 1) convolve = turnedGradient(convolve, tf.conv2d, window);
  return unlessDifferentiating(
    (x) => fused({ x, filter, strides: stride, pad, dilations: dilation, bias, activation }),
    (x) => {
      const y = tf.add(convolve(x), bias);
      return activation === 'linear' ? y : tf[activation](y);
    },
  );
}

/**
 * The gradients of fused operations are those of their weights too, which nobody asks for (and
 * which the wasm backend lacks).
 */
const unlessDifferentiating = (fused, plain) => (x) => (tf.engine().state.gradientDepth > 0 ? plain(x) : fused(x));

/**
 * What tfjs has no gradient of: on its wasm backend depthwise convolutions, anywhere dilated ones.
 * It is the convolution of the gradient, with zeros between its values where there is a stride,
 * with the turned filter.
 */
function turnedGradient(forward, convolve, [filter, stride, pad, format, dilation]) {
  const depthwise = convolve === tf.depthwiseConv2d;
  const turned = tf.tidy(() => tf.transpose(tf.reverse(filter, [0, 1]), depthwise ? [0, 1, 2, 3] : [0, 1, 3, 2]));
  const reach = (filter.shape[0] - 1) * dilation;
  return tf.customGrad((x) => ({
    value: forward(x),
    gradFunc(dy) {
      const [n, h, w] = x.shape;
      const [, oh, ow, oc] = dy.shape;
      if (stride > 1) {
        const zeros = [0, stride - 1];
        const rows = tf.pad(tf.reshape(dy, [n * oh, 1, ow, oc]), [[0, 0], zeros, [0, 0], [0, 0]]);
        const columns = tf.pad(tf.reshape(rows, [n * oh * stride * ow, 1, oc]), [[0, 0], zeros, [0, 0]]);
        dy = tf.reshape(columns, [n, oh * stride, ow * stride, oc]);
      }
      const before = pad === 'same' ? Math.floor(Math.max(0, (oh - 1) * stride + reach + 1 - h) / 2) : pad;
      const first = reach - before;
      const edges = [
        [0, 0],
        [first, h + before - dy.shape[1]],
        [first, w + before - dy.shape[2]],
        [0, 0],
      ];
      return convolve(tf.pad(dy, edges), turned, 1, 'valid', format, dilation);
    },
  }));
}

/** y = x W + b of a linear layer `[O, I]`. */
function linear(weights, name) {
  const { shape, data } = weights.get(`${name}.weight`);
  const kernel = tf.tidy(() => tf.transpose(tf.tensor2d(data, shape)));
  const bias = tf.tensor1d(weights.get(`${name}.bias`)?.data ?? new Float32Array(shape[0]));
  return unlessDifferentiating(
    (x) => tf.fused.matMul({ a: x, b: kernel, bias }),
    (x) => tf.add(tf.matMul(x, kernel), bias),
  );
}

const pooled = (a) => tf.mean(a, [1, 2]);

/** Modules `prefix0`, `prefix1`, ... of the weights. */
function count(weights, prefix) {
  let n = 0;
  const names = [...weights.keys()];
  while (names.some((name) => name.startsWith(`${prefix}${n}.`))) n++;
  return n;
}

/** ResNets of basic blocks, with timm's deep stem and output stride. */
function resnet(weights, { model_args: args = {} }) {
  const conv = (...rest) => convolution(weights, ...rest);
  const relu = { activation: 'relu' };
  const stem =
    args.stem_type === 'deep'
      ? [
          conv('conv1.0', 'conv1.1', { stride: 2, pad: 1, ...relu }),
          conv('conv1.3', 'conv1.4', { pad: 1, ...relu }),
          conv('conv1.6', 'bn1', { pad: 1, ...relu }),
        ]
      : [conv('conv1', 'bn1', { stride: 2, pad: 3, ...relu })];
  const blocks = [];
  let [reach, dilation, before] = [4, 1, 1];
  for (let s = 1; s <= 4; s++) {
    let stride = s === 1 ? 1 : 2;
    if (reach >= (args.output_stride ?? 32)) [dilation, stride] = [dilation * stride, 1];
    else reach *= stride;
    for (let b = 0; b < count(weights, `layer${s}.`); b++) {
      const name = `layer${s}.${b}`;
      const step = b === 0 ? stride : 1;
      const one = conv(`${name}.conv1`, `${name}.bn1`, { stride: step, dilation: before, pad: before, ...relu });
      const two = conv(`${name}.conv2`, `${name}.bn2`, { dilation, pad: dilation });
      const down =
        weights.has(`${name}.downsample.0.weight`) &&
        conv(`${name}.downsample.0`, `${name}.downsample.1`, { stride: step });
      blocks.push((x) => tf.relu(tf.add(two(one(x)), down ? down(x) : x)));
      before = dilation;
    }
  }
  const classifier = linear(weights, 'fc');
  return {
    features(x) {
      for (const layer of stem) x = layer(x);
      x = tf.maxPool(x, 3, 2, 1);
      for (const block of blocks) x = block(x);
      return { map: x };
    },
    head: ({ map }) => classifier(pooled(map)),
  };
}

/** MobileNetV2 with TensorFlow's padding. */
function mobilenetV2(weights, { model_args: args = {} }) {
  const pad = args.pad_type === 'same' ? 'same' : 1;
  const conv = (...rest) => convolution(weights, ...rest);
  const activation = 'relu6';
  const stem = conv('conv_stem', 'bn1', { stride: 2, pad, activation });
  const blocks = [];
  [1, 2, 2, 2, 1, 2, 1].forEach((first, s) => {
    for (let b = 0; b < count(weights, `blocks.${s}.`); b++) {
      const name = `blocks.${s}.${b}`;
      const stride = b === 0 ? first : 1;
      const layers = weights.has(`${name}.conv_pwl.weight`)
        ? [
            conv(`${name}.conv_pw`, `${name}.bn1`, { activation }),
            conv(`${name}.conv_dw`, `${name}.bn2`, { stride, pad, activation }),
            conv(`${name}.conv_pwl`, `${name}.bn3`),
          ]
        : [conv(`${name}.conv_dw`, `${name}.bn1`, { stride, pad, activation }), conv(`${name}.conv_pw`, `${name}.bn2`)];
      blocks.push((x) => {
        const y = layers.reduce((at, layer) => layer(at), x);
        return stride === 1 && x.shape[3] === y.shape[3] ? tf.add(x, y) : y;
      });
    }
  });
  const last = conv('conv_head', 'bn2', { activation });
  const classifier = linear(weights, 'classifier');
  return {
    features: (x) => ({ map: last(blocks.reduce((at, block) => block(at), stem(x))) }),
    head: ({ map }) => classifier(pooled(map)),
  };
}

/**
 * ViT and DeiT with a class token, which is pooled, or the patches' mean behind the last norm; one
 * photo at a time.
 */
function vit(weights, { architecture, model_args: args = {} }) {
  const heads = args.num_heads ?? { deit_tiny_patch16_224: 3 }[architecture];
  const patches = convolution(weights, 'patch_embed.proj', undefined, {
    stride: weights.get('patch_embed.proj.weight').shape[2],
  });
  const token = tf.tensor2d(weights.get('cls_token').data, weights.get('cls_token').shape.slice(1));
  const positions = tf.tensor2d(weights.get('pos_embed').data, weights.get('pos_embed').shape.slice(1));
  const norm = (name) => {
    const [gain, bias] = ['weight', 'bias'].map((of) => tf.tensor1d(weights.get(`${name}.${of}`).data));
    return (x) => {
      const centred = tf.sub(x, tf.mean(x, -1, true));
      const variance = tf.mean(tf.square(centred), -1, true);
      return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-6))), gain), bias);
    };
  };
  const gelu = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  const blocks = Array.from({ length: count(weights, 'blocks.') }, (_, b) => {
    const name = `blocks.${b}`;
    const [norm1, norm2] = [norm(`${name}.norm1`), norm(`${name}.norm2`)];
    const [qkv, proj, up, down] = ['attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2'].map((leaf) =>
      linear(weights, `${name}.${leaf}`),
    );
    return {
      norm1,
      /** The rest of the block, behind its first norm. */
      rest(x, normed) {
        const [tokens, width] = x.shape;
        const split = tf.transpose(tf.reshape(qkv(normed), [tokens, 3, heads, width / heads]), [1, 2, 0, 3]);
        const [q, k, v] = tf.unstack(split);
        const attention = tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width / heads)));
        x = tf.add(x, proj(tf.reshape(tf.transpose(tf.matMul(attention, v), [1, 0, 2]), [tokens, width])));
        return tf.add(x, down(gelu(up(norm2(x)))));
      },
    };
  });
  const last = blocks.pop();
  const [normed, classifier] = [norm('norm'), linear(weights, 'head')];
  return {
    features(x) {
      const grid = patches(x);
      let t = tf.add(tf.concat([token, tf.reshape(grid, [-1, grid.shape[3]])]), positions);
      for (const block of blocks) t = block.rest(t, block.norm1(t));
      return { map: last.norm1(t), stream: t };
    },
    head: ({ map, stream }) => {
      const tokens = normed(last.rest(stream, map));
      const pooled =
        args.global_pool === 'avg' ? tf.mean(tf.slice(tokens, [1, 0]), 0, true) : tf.slice(tokens, [0, 0], [1, -1]);
      return classifier(pooled);
    },
    /** Tokens without the class token. */
    patches: (tokens) => tf.slice(tokens, [1, 0]),
  };
}

/** @param {Map<string, any>} weights @param {any} config */
export function build(weights, config) {
  const { architecture } = config;
  if (architecture.startsWith('resnet')) return resnet(weights, config);
  if (architecture.startsWith('mobilenetv2')) return mobilenetV2(weights, config);
  return vit(weights, config);
}
