"""Pictures that Pillow made: resized ones, all EXIF orientations, and files that must be refused.

usage: python tests/reference/make_photo_goldens.py      (from the repository root)
with Pillow 11.3.0, which resizes the horizontal axis first whatever the shape, as all versions up to 12 do; 13.0 begins with the vertical
axis for some shapes, which moves values a little (on noise by up to 41 of 255).
Writes tests/golden/photos/.  All pictures are drawn here, seeded.
"""
import io, json, os, struct, zlib
import numpy as np, PIL
from PIL import Image, ImageDraw, ImageOps

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../golden/photos')
os.makedirs(OUT, exist_ok=True)
rng = np.random.default_rng(7)


def draw(w, h, noise=40):
    """Smooth colours, hard edges and noise."""
    y, x = np.mgrid[0:h, 0:w]
    p = np.stack([x * 255 / max(w - 1, 1), y * 255 / max(h - 1, 1), 127 + 120 * np.sin(x / 3 + y / 5)], -1) + rng.normal(0, noise, (h, w, 3))
    im = Image.fromarray(np.clip(p, 0, 255).astype(np.uint8))
    ImageDraw.Draw(im).rectangle([w // 5, h // 4, w // 2, h // 2], fill=(250, 10, 30))
    return im


def save(im, name, **kw): im.save(os.path.join(OUT, name), **kw)


cases = []
for i, (w, h, targets) in enumerate([
    (61, 37, [(24, 15), (97, 58), (61, 20), (20, 37)]), (7, 120, [(3, 51), (16, 274)]), (131, 9, [(58, 4), (200, 13)]),
    (1, 9, [(5, 45), (1, 3)]), (33, 33, [(32, 32), (33, 33), (8, 8), (1, 1)])]):
    source = draw(w, h); save(source, f'resize-{i}.png')
    for tw, th in targets:
        for name, f in [('bilinear', Image.BILINEAR), ('bicubic', Image.BICUBIC), ('lanczos', Image.LANCZOS)]:
            out = f'resize-{i}-{tw}x{th}-{name}.png'; save(source.resize((tw, th), f), out)
            cases.append(dict(source=f'resize-{i}.png', width=tw, height=th, interpolation=name, expected=out))

upright = draw(40, 28, 0)
for o in range(1, 9):
    exif = Image.Exif(); exif[0x0112] = o
    # The stored picture is the one that the orientation turns into `upright`.
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[o]
    stored = upright if back is None else upright.transpose(Image.Transpose(back))
    assert ImageOps.exif_transpose(Image.open(io.BytesIO(b)) if (b := (lambda s: (stored.save(s, 'PNG', exif=exif), s.getvalue())[1])(io.BytesIO())) else None).tobytes() == upright.tobytes(), o
    save(stored, f'orientation-{o}.jpg', exif=exif, quality=95, subsampling=0)
save(upright, 'upright.png')

picture = draw(64, 48, 10)
save(picture, 'photo.jpg', quality=90); save(picture, 'photo.png'); save(picture, 'photo.bmp'); save(picture, 'photo.webp', lossless=True)
frames = [picture.quantize(64), draw(64, 48).quantize(64)]
frames[0].save(os.path.join(OUT, 'animated.gif'), save_all=True, append_images=frames[1:], duration=100)
save(frames[0].convert('RGB'), 'animated-first.png')
alpha = picture.convert('RGBA'); alpha.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))))
save(alpha, 'transparent.png')
save(Image.alpha_composite(Image.new('RGBA', alpha.size, 'white'), alpha).convert('RGB'), 'transparent-on-white.png')
save(picture.convert('L'), 'grey.png'); save(Image.fromarray(np.asarray(picture.convert('L')).astype(np.uint16) * 257), 'grey16.png')
save(picture.convert('CMYK'), 'cmyk.jpg', quality=95)
save(Image.open(os.path.join(OUT, 'cmyk.jpg')).convert('RGB'), 'cmyk-jpg.png'); save(Image.open(os.path.join(OUT, 'photo.jpg')), 'photo-jpg.png')
data = open(os.path.join(OUT, 'photo.jpg'), 'rb').read()
open(os.path.join(OUT, 'truncated.jpg'), 'wb').write(data[:len(data) // 2])
open(os.path.join(OUT, 'truncated.png'), 'wb').write(open(os.path.join(OUT, 'photo.png'), 'rb').read()[:2000])
open(os.path.join(OUT, 'text.jpg'), 'w').write('This is no picture, whatever its name says.\n')
open(os.path.join(OUT, 'empty.jpg'), 'wb')
chunk = lambda kind, body: struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
open(os.path.join(OUT, 'huge-header.png'), 'wb').write(
    b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 30000, 30000, 8, 2, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(b'\0' * 100)) + chunk(b'IEND', b''))
open(os.path.join(OUT, 'made-up.heic'), 'wb').write(struct.pack('>I', 24) + b'ftypheic' + b'\0\0\0\0heicmif1' + b'\0' * 40)
try: save(picture, 'photo.avif', quality=80)
except Exception as e: print('no AVIF here:', e)
json.dump(dict(pillow=PIL.__version__, cases=cases), open(os.path.join(OUT, 'photos.json'), 'w'), indent=1)
print(len(cases), 'resized pictures')
