// @ts-check
// Whether a photo looks like any class that a model knows.

/** Both have to be below: the likeliest class's probability, and the energy. */
const PROBABILITY = 0.5;
const ENERGY = 1.5;

/**
 * How much a photo looks like one of the classes a model was trained on. A classifier names a class for every picture, also for noise.
 * `energy` is the negative free energy of Liu et al. 2020 (arXiv:2010.03759, equation 4, temperature 1) above that of equal logits: ln of the mean
 * of exp(logit - mean logit), in nats; 0 where all classes are alike, and the same whatever is added to every logit.
 * The limits (0.5 and 1.5) were set on the built-in model of 64 everyday things. It calls unfamiliar 7 of 8 pictures of noise, 4 of 6 of one plain
 * colour, and 44 of 87 photos of other things, but also 72 of 640 held-out photos (64 x 64 pixels) of things that it knows; 1 of 8 of coloured squares.
 * Of 60 photos with ImageNet's classes: 0 for MobileNetV2, 4 for DeiT tiny. So it is a hint, and its absence is no proof.
 * @param {ArrayLike<number>} logits of all classes, two or more
 * @returns {{ probability: number, energy: number, unfamiliar: boolean }} numbers are NaN, and the photo is not called unfamiliar, where a logit is not finite
 */
export function familiarity(logits) {
  const all = Array.from(logits);
  const top = all.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = all.reduce((s, v) => s + Math.exp(v - top), 0);
  const mean = all.reduce((s, v) => s + v, 0) / all.length;
  const probability = 1 / sum;
  const energy = top + Math.log(sum) - mean - Math.log(all.length);
  return { probability, energy, unfamiliar: all.length > 1 && probability < PROBABILITY && energy < ENERGY };
}
