// @ts-check
// The rectangle of the photo that the model saw.

/** @typedef {import('../index.js').Crop} Crop */

/**
 * Where it lies on a picture of the whole photo of this size; all of it where there is none.
 * @param {Crop | null | undefined} crop
 * @param {number} width
 * @param {number} height
 */
export const placeOf = (crop, width, height) =>
  crop
    ? {
        x: (crop.x * width) / crop.photoWidth,
        y: (crop.y * height) / crop.photoHeight,
        width: (crop.width * width) / crop.photoWidth,
        height: (crop.height * height) / crop.photoHeight,
      }
    : { x: 0, y: 0, width, height };

/** Whether it is all of the photo but a rim that nobody would miss. @param {Crop} crop */
export const isWhole = (crop) => crop.width >= 0.995 * crop.photoWidth && crop.height >= 0.995 * crop.photoHeight;
