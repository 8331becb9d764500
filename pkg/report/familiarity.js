// @ts-check
// Whether a photo looks like any class that a model knows.

/**
 * Both have to be below: the likeliest class's probability, and the energy where the model has no
 * limit of its own.
 */
const PROBABILITY = 0.5;
const ENERGY = 1.5;

/**
 * How much a photo looks like one of the classes a model was trained on. A classifier names a class
 * for every picture, also for noise.
 * `energy` is the negative free energy of Liu et al. 2020 (arXiv:2010.03759, equation 4,
 * temperature 1) above that of equal logits: ln of the mean
 * of exp(logit - mean logit), in nats; 0 where all classes are alike, and the same whatever is
 * added to every logit. A model's limit is the energy below which a tenth of held-out photos of
 * known things lies, fitted by `python training/photos.py familiar`, which also prints that no
 * other score of the logits, nor all of them together, tells more. Of photos of 64 x 64 pixels it
 * calls unfamiliar, for sightline-cnn (1.04): 76 of 194 of other things, none of 20 of noise, 15 of
 * 20 of one colour, 5 of 20 of coloured squares, but also 345 of 3,200 of known things; for
 * sightline-vit (0.8): 51 of 194, 0, 5 and 0 of 20, and 277 of 3,200. Without a limit (0.5 and
 * 1.5), of 60 photos with ImageNet's classes:
 * 0 for MobileNetV2, 4 for DeiT tiny. So it is a hint, and its absence is no proof.
 * @param {ArrayLike<number>} logits of all classes, two or more
 * @param {{ energy?: number }} [limits]
 * @returns {{ probability: number, energy: number, unfamiliar: boolean }} numbers are NaN, and the
 *   photo is not called unfamiliar, where a logit is not finite
 */
export function familiarity(logits, { energy: limit = ENERGY } = {}) {
  const all = Array.from(logits);
  const top = all.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = all.reduce((s, v) => s + Math.exp(v - top), 0);
  const mean = all.reduce((s, v) => s + v, 0) / all.length;
  const probability = 1 / sum;
  const energy = top + Math.log(sum) - mean - Math.log(all.length);
  return { probability, energy, unfamiliar: all.length > 1 && probability < PROBABILITY && energy < limit };
}
