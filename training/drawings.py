"""Draws three of the page's sample images: a ladybug, bananas and a school bus.

usage, from the repository root, with tests/reference/requirements.txt installed:  python training/drawings.py

Writes www/samples/{ladybug,bananas,school-bus}.jpg, 512 x 512.  Seeded.
"""
import math, os
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

N = 512
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../www/samples')


def blur(im, r):
    return im.filter(ImageFilter.GaussianBlur(r))


def grain(im, sigma, seed):
    a = np.asarray(im, np.float32)
    return Image.fromarray(np.clip(a + np.random.default_rng(seed).normal(0, sigma, a.shape[:2] + (1,)), 0, 255).astype(np.uint8))


def ground(top, bottom):
    t = np.linspace(0, 1, N)[:, None, None]
    return Image.fromarray((np.array(top) * (1 - t) + np.array(bottom) * t + np.zeros((N, N, 1))).astype(np.uint8))


def ball(im, cx, cy, r, colour, light=(-.35, -.4)):
    """A lit sphere."""
    y, x = np.mgrid[0:N, 0:N]
    dx, dy = (x - cx) / r, (y - cy) / r
    d2 = dx * dx + dy * dy
    lx, ly = light
    shine = np.clip(dx * lx + dy * ly + np.sqrt(np.clip(1 - d2, 0, 1)) * math.sqrt(1 - lx * lx - ly * ly), 0, 1)[..., None]
    lit = np.array(colour) * (.35 + .75 * shine) + 765 * np.clip(shine - .9, 0, 1)
    cover = np.clip((1 - np.sqrt(d2)) * r / 1.5, 0, 1)[..., None]
    return Image.fromarray(np.clip(np.asarray(im, np.float32) * (1 - cover) + lit * cover, 0, 255).astype(np.uint8))


def ladybug():
    im = ground((120, 180, 70), (60, 120, 40))
    d = ImageDraw.Draw(im)
    for k in range(-4, 5): d.line([256, 520, 256 + k * 120, -20], fill=(90, 150, 55), width=5)
    im = blur(im, 3)
    shade = Image.new('L', (N, N))
    ImageDraw.Draw(shade).ellipse([96, 150, 436, 450], fill=115)
    im = Image.composite(Image.new('RGB', (N, N), (20, 15, 10)), im, blur(shade, 14))
    im = ball(ball(im, 256, 170, 75, (30, 28, 30)), 256, 285, 150, (215, 35, 25))
    d = ImageDraw.Draw(im)
    d.line([256, 140, 256, 434], fill=(25, 15, 15), width=8)
    for x, y, r in ((190, 230, 26), (322, 230, 26), (175, 310, 24), (337, 310, 24), (210, 375, 20), (302, 375, 20)):
        d.ellipse([x - r, y - r, x + r, y + r], fill=(20, 15, 15))
    for side in (-1, 1):
        d.ellipse([256 + side * 38 - 14, 128, 256 + side * 38 + 14, 150], fill=(240, 240, 235))
        d.line([256 + side * 25, 110, 256 + side * 70, 60], fill=(25, 22, 22), width=6)
        for y, length in ((220, 70), (290, 80), (360, 70)):
            d.line([256 + side * 145, y, 256 + side * (145 + length), y + 25], fill=(25, 22, 22), width=9)
    return grain(blur(im, 1), 5, 3)


def bananas():
    im = grain(blur(ground((225, 225, 220), (190, 190, 185)), 2), 4, 5)
    for dx, dy, turn, colour in ((-30, -60, 8, (250, 215, 60)), (10, 10, -4, (255, 225, 70))):
        form = Image.new('L', (N, N))
        d = ImageDraw.Draw(form)
        for t in np.linspace(0, 1, 60):
            a, w = math.pi * (.12 + .76 * t), math.sin(math.pi * t) ** .45 * 46 + 6
            x, y = 256 + 190 * math.cos(a), 150 + 210 * math.sin(a)
            d.ellipse([x - w, y - w * .9, x + w, y + w * .9], fill=255)
        form = np.roll(np.asarray(form.rotate(turn, center=(256, 256))), (dy, dx), (0, 1))
        shade = blur(Image.fromarray(np.roll(form, (18, 10), (0, 1))), 12).point(lambda v: v * .4)
        im = Image.composite(Image.new('RGB', (N, N), (60, 50, 40)), im, shade)
        form = Image.fromarray(form)
        depth = np.clip(.55 + .6 * np.asarray(blur(form, 22), np.float32) / 255, 0, 1.1)[..., None]
        lit = Image.fromarray(np.clip(np.array(colour) * depth, 0, 255).astype(np.uint8))
        im = Image.composite(lit, im, blur(form, 1))
    return grain(blur(im, .8), 4, 6)


def school_bus():
    im = ground((150, 190, 235), (215, 230, 240))
    d = ImageDraw.Draw(im)
    d.rectangle([0, 380, N, N], fill=(95, 95, 98))
    d.rectangle([0, 330, N, 380], fill=(95, 130, 70))
    yellow, glass, black = (250, 190, 20), (45, 60, 75), (30, 28, 25)
    d.rounded_rectangle([40, 150, 430, 385], 20, fill=yellow)
    d.rounded_rectangle([400, 240, 490, 385], 16, fill=yellow)
    for i in range(5): d.rounded_rectangle([62 + i * 70, 180, 118 + i * 70, 245], 6, fill=glass)
    d.rounded_rectangle([408, 185, 430, 245], 4, fill=glass)
    for y in (270, 315): d.rectangle([40, y, 470, y + 8], fill=black)
    for x in (120, 400):
        d.ellipse([x - 42, 350, x + 42, 434], fill=(25, 25, 28))
        d.ellipse([x - 18, 374, x + 18, 410], fill=(150, 150, 150))
    d.ellipse([472, 300, 488, 318], fill=(255, 250, 220))
    d.rectangle([455, 355, 500, 372], fill=black)
    return grain(blur(im, 1.2), 6, 7)


if __name__ == '__main__':
    for name, draw in {'ladybug': ladybug, 'bananas': bananas, 'school-bus': school_bus}.items():
        draw().save(f'{OUT}/{name}.jpg', quality=88, subsampling=0)
