"""Trains the page's two built-in models on 64 everyday classes, measures them and writes their cards.

usage, from the repository root, with tests/reference/requirements.txt installed and ../shared beside the repository:
    python training/photos.py train           everything, in order: teach, cnn, vit, finish, evaluate, familiar.  Resumes where it stopped.
    python training/photos.py teach           the logits of two ImageNet models for seeded crops of every training photo
    python training/photos.py cnn | vit       one model; a checkpoint after every epoch in training/checkpoints/
    python training/photos.py finish          temperature and f16 packages, www/models/sightline-<cnn|vit>/
    python training/photos.py evaluate        accuracy and calibration of the shipped packages on val.tar, and the model cards
    python training/photos.py familiar        the energy above which a photo counts as familiar, and how well it separates other things; run it after evaluate

Data: ../shared/training/photos64 (32,000 photos for training, 3,200 for measuring; 64 x 64 pixels).  None of it is copied here.
Recipe (seed 1): both students learn from the label and from the logits of two teachers (../shared/models) for the same crop.  The teachers know
1,000 classes; a small read-out, fitted on three quarters of the photos and applied to the fourth, maps their logits to the 64.
In its last cycle the ViT is also guided by the CNN: by its probabilities and, place by place, by its feature maps of each varied and mixed image that
the ViT sees (arXiv 2106.05237, 2207.10026).  So the two models' agreement on where to look is partly trained.
"""
import io, json, math, os, sys, tarfile, time
import numpy as np
from PIL import Image

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
SHARED = os.path.join(ROOT, '../shared')
STATE = os.path.join(ROOT, 'training/checkpoints/photos')
SIZE, K, VIEWS, TEACHER_SIZE = 64, 64, 10, 160
TEACHERS = ['deit_tiny_patch16_224', 'mobilenetv2_100_same']
THREADS = int(os.environ.get('THREADS', os.cpu_count()))


def classes():
    return json.load(open(f'{SHARED}/training/photos64/classes.json'))


def photos(split):
    """uint8 [n, 64, 64, 3] and class indices [n], in order of the file names."""
    kept = f'{STATE}/{split}.npz'
    if not os.path.exists(kept):
        index = {c['wnid']: c['index'] for c in classes()}
        xs, ys = [], []
        with tarfile.open(f'{SHARED}/training/photos64/{split}.tar') as tar:
            for member in sorted((m for m in tar.getmembers() if m.isfile()), key=lambda m: m.name):
                xs.append(np.asarray(Image.open(io.BytesIO(tar.extractfile(member).read())).convert('RGB')))
                ys.append(index[member.name.split('/')[0]])
        os.makedirs(STATE, exist_ok=True)
        np.savez(kept, x=np.stack(xs), y=np.array(ys))
    z = np.load(kept)
    return z['x'], z['y']


def crops(view, n):
    """Seeded crops of view `view`: affine maps [n, 2, 3] from output to input coordinates in [-1, 1].  View 0 is the whole photo; odd views are mirrored."""
    rng = np.random.default_rng(100 + view)
    area, ratio = rng.uniform(.35, 1, n), np.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3), n))
    w, h = np.minimum(np.sqrt(area * ratio), 1), np.minimum(np.sqrt(area / ratio), 1)
    x, y = (1 - w) * rng.uniform(-1, 1, n), (1 - h) * rng.uniform(-1, 1, n)
    if view == 0: w[:], h[:], x[:], y[:] = 1, 1, 0, 0
    zero = np.zeros(n)
    return np.stack([np.stack([w * (-1 if view % 2 else 1), zero, x], 1), np.stack([zero, h, y], 1)], 1).astype(np.float32)


def cut(x, theta, size, mode='bilinear'):
    """float [n, 3, size, size] in [0, 1] from uint8 photos [n, 64, 64, 3] by affine maps."""
    import torch, torch.nn.functional as F
    x = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
    grid = F.affine_grid(torch.from_numpy(theta), (len(x), 3, size, size), align_corners=False)
    return F.grid_sample(x, grid, mode, 'reflection', align_corners=False).clamp_(0, 1)


def teacher(name):
    import timm
    from safetensors.torch import load_file
    from timm.models.vision_transformer import checkpoint_filter_fn
    folder = f'{SHARED}/models/{name}'
    config = json.load(open(folder + '/config.json'))
    state = load_file(folder + '/model.safetensors')
    if name.startswith('deit'):
        model = timm.create_model(config['architecture'], img_size=TEACHER_SIZE)
        state = checkpoint_filter_fn(state, model)
    else:
        model = timm.create_model(config['architecture'], **config.get('model_args') or {})
    model.load_state_dict(state, strict=not name.startswith('mobile'))
    return model.eval(), config['pretrained_cfg']


def teach():
    """training/checkpoints/photos/<split>-<view>.npy: float16 [n, 2000], the logits of both teachers."""
    import torch
    torch.set_num_threads(THREADS)
    models = [teacher(name) for name in TEACHERS]
    for split, views in (('val', 1), ('train', VIEWS)):
        x, _ = photos(split)
        for view in range(views):
            path = f'{STATE}/{split}-{view}.npy'
            if os.path.exists(path): continue
            start, theta, out = time.time(), crops(view, len(x)), []
            with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16):
                for i in range(0, len(x), 100):
                    seen = cut(x[i:i + 100], theta[i:i + 100], TEACHER_SIZE, 'bicubic')
                    logits = []
                    for model, cfg in models:
                        mean, std = (torch.tensor(cfg[k]).view(3, 1, 1) for k in ('mean', 'std'))
                        logits.append(model(((seen - mean) / std).contiguous(memory_format=torch.channels_last)).float())
                    out.append(torch.cat(logits, 1).half().numpy())
            np.save(path + '.part.npy', np.concatenate(out)); os.replace(path + '.part.npy', path)
            print(f'teachers, {split}, view {view}: {time.time() - start:.0f} s', flush=True)


def crop_pixels(view):
    """uint8 [32000, 3, 64, 64]: the crops of a view as the students see them."""
    path = f'{STATE}/crops-{view}.npy'
    if not os.path.exists(path):
        x, _ = photos('train')
        theta = crops(view, len(x))
        out = np.concatenate([(cut(x[i:i + 1000], theta[i:i + 1000], SIZE) * 255).round().byte().numpy() for i in range(0, len(x), 1000)])
        np.save(path + '.part.npy', out); os.replace(path + '.part.npy', path)
    return np.load(path, mmap_mode='r')


def held_out(y):
    """The last ten training photos of each class: used for calibration, never for training."""
    mask = np.zeros(len(y), bool)
    for k in range(K): mask[np.flatnonzero(y == k)[-10:]] = True
    return mask


def targets():
    """The teachers' answers: probabilities of the 64 classes, float16 [VIEWS, 32000, 64], and the 512 main directions of their logits [VIEWS, 32000, 512]."""
    path = f'{STATE}/targets.npz'
    if os.path.exists(path):
        z = np.load(path)
        return z['p'], z['f']
    import torch, torch.nn.functional as F
    torch.set_num_threads(THREADS); torch.manual_seed(1)
    _, y = photos('train')
    vx, vy = photos('val')
    logits = [torch.from_numpy(np.load(f'{STATE}/train-{v}.npy')).float() for v in range(VIEWS)]
    mean, std = logits[0].mean(0), logits[0].std(0)
    _, _, basis = torch.pca_lowrank((logits[0] - mean) / std, 512, center=False)
    features = torch.stack([((l - mean) / std) @ basis for l in logits])
    scale = features[0].square().mean().sqrt()
    features = features / scale
    seen = ((torch.from_numpy(np.load(f'{STATE}/val-0.npy')).float() - mean) / std) @ basis / scale
    y = torch.from_numpy(y)
    fold = torch.from_numpy(np.random.default_rng(7).permutation(len(y)) % 4)
    p, right = torch.zeros(VIEWS, len(y), K), []
    for part in range(4):
        fit = (fold != part).nonzero()[:, 0]
        read = torch.nn.Sequential(torch.nn.Dropout(.2), torch.nn.Linear(512, 1024), torch.nn.GELU(), torch.nn.Dropout(.5), torch.nn.Linear(1024, K))
        opt = torch.optim.AdamW(read.parameters(), 1e-3, weight_decay=.1)
        steps = 4000
        for step in range(steps):
            for group in opt.param_groups: group['lr'] = 1e-3 * (1 - step / steps)
            pick, view = fit[torch.randint(len(fit), (512,))], torch.randint(VIEWS, (512,))
            loss = F.cross_entropy(read(features[view, pick]), y[pick])
            opt.zero_grad(); loss.backward(); opt.step()
        read.eval()
        with torch.no_grad():
            p[:, fold == part] = read(features[:, fold == part]).softmax(-1)
            right.append((read(seen).argmax(1).numpy() == vy).mean())
    accuracy = [(p[v].argmax(1) == y).float().mean().item() for v in range(VIEWS)]
    print('teachers, read-out on the quarter of train.tar that it was not fitted on, by view:', [f'{a:.4f}' for a in accuracy], 'on val.tar:', [f'{a:.4f}' for a in right], flush=True)
    p, features = p.half().numpy(), features.half().numpy()
    np.savez(path + '.part.npz', p=p, f=features); os.replace(path + '.part.npz', path)
    return p, features


def soften(p):
    """Half the teachers' answer for the crop, half their mean over all views of its photo; at temperature 1.5, because the read-out is overconfident."""
    p = p.astype(np.float32)
    p = (.5 * p + .5 * p.mean(0)) ** (1 / 1.5)
    return (p / p.sum(-1, keepdims=True)).astype(np.float16)


ARCHITECTURES = {
    'cnn': ('resnet18', 'avg', dict(layers=[2, 2, 2, 1], channels=[64, 128, 176, 176], stem_type='deep', stem_width=32, output_stride=8)),
    'vit': ('vit_tiny_patch16_224', 'avg', dict(fc_norm=False, img_size=64, patch_size=8, embed_dim=160, depth=6, num_heads=5, mlp_ratio=3)),
}
MEAN, STD = [.485, .456, .406], [.229, .224, .225]
RECIPES = {
    # Each cycle: by, the optimizer; epochs; small, how many of them see the crops at 48 pixels (cnn) or half of the patches (vit), in half the time;
    # rate, where its cosine starts; views, how many views it draws from; mix, the share of its batches that are mixed;
    # least, the smallest part of a photo that its crops show; vary, how much the crops are also rotated, stretched and recoloured; label, the label's
    # share of the target if not .3; guide, the CNN's share of it; pool, if it is the class token.  After its second cycle the ViT knew 83 % of its training
    # photos and 62 % of others, so its third varies more and leans on the teachers; its fourth follows the CNN place by place, which gave six points more.
    # The CNN's last cycle shows nearly whole photos, as they are measured: things look larger in crops (arXiv 1906.06423).
    'cnn': dict(decay=5e-4, cycles=[dict(by='SGD', epochs=40, small=16, rate=.2, views=5, mix=.3), dict(by='SGD', epochs=80, small=50, rate=.12, views=VIEWS, mix=.3),
                                  dict(by='SGD', epochs=10, small=0, rate=.02, views=VIEWS, mix=.1, least=.75)]),
    'vit': dict(decay=.05, cycles=[dict(by='AdamW', epochs=36, small=28, rate=1.2e-3, views=VIEWS, mix=.5, pool='token'),
                                    dict(by='Muon', epochs=26, small=21, rate=1.5e-3, views=VIEWS, mix=.2, least=.5, pool='token'),
                                    dict(by='Muon', epochs=44, small=34, rate=1.5e-3, views=VIEWS, mix=.4, least=.5, vary=1, label=.1, pool='token'),
                                    dict(by='Muon', epochs=28, small=21, rate=1.5e-3, views=VIEWS, mix=.5, least=.5, vary=1, label=.1, guide=.5)]),
}


def create(kind):
    import timm
    architecture, pool, args = ARCHITECTURES[kind]
    return timm.create_model(architecture, num_classes=K, global_pool=pool, **args)


#: The channels of the maps that `passes` returns; the last map is the one that is pooled.
WIDTHS = {'cnn': (128, 176, 176), 'vit': (160, 160, 160)}


def passes(kind, model, x, kept=None):
    """For images [n, 3, 64, 64]: three maps from the middle of the model to its last, each [n, places, channels], and the pooled features [n, channels].
    `kept`: the patches of each image that the ViT sees."""
    import torch
    if kind == 'cnn':
        x = model.layer1(model.maxpool(model.act1(model.bn1(model.conv1(x)))))
        maps = [x := layer(x) for layer in (model.layer2, model.layer3, model.layer4)]
        return *(a.flatten(2).transpose(1, 2) for a in maps), model.global_pool(x)
    x = model._pos_embed(model.patch_embed(x))
    if kept is not None: x = torch.cat([x[:, :1], x[:, 1:].gather(1, kept[:, :, None].expand(-1, -1, x.shape[2]))], 1)
    maps = []
    for i, block in enumerate(model.blocks):
        x = block(x)
        if i in (1, 3): maps.append(x)
    x = model.norm(x)
    return *(a[:, 1:] for a in maps), x[:, 1:], model.pool(x)


class Guide:
    """The trained CNN's answer for images: probabilities [n, 64], and its maps, standardized per channel by those of the images x, uint8 [n, 3, 64, 64]."""
    def __init__(self, x):
        import torch
        self.model = create('cnn').eval().to(memory_format=torch.channels_last)
        self.model.load_state_dict(torch.load(f'{STATE}/cnn.pt')['average'])
        _, maps = self.raw(normal(torch.from_numpy(x)))
        self.scale = [(m.mean((0, 1)), m.std((0, 1)) + 1e-3) for m in maps]

    def __call__(self, x):
        p, maps = self.raw(x)
        return p, [(m - mean) / std for m, (mean, std) in zip(maps, self.scale)]

    def raw(self, x):
        """The same, with the maps as they are."""
        import torch
        with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
            *maps, pooled = passes('cnn', self.model, x.contiguous(memory_format=torch.channels_last))
            p = self.model.get_classifier()(pooled).float().softmax(1)
        return p, [m.float() for m in maps]


def normal(x):
    import torch
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    return (x.float() / 255 - mean) / std


def predict(model, x):
    """Logits of uint8 [n, 64, 64, 3]."""
    import torch
    with torch.inference_mode():
        return torch.cat([model(normal(torch.from_numpy(x[i:i + 200]).permute(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)).float() for i in range(0, len(x), 200)])


def top(logits, y):
    import torch
    y = torch.as_tensor(y)
    order = logits.topk(5).indices == y[:, None]
    return order[:, 0].float().mean().item(), order.any(1).float().mean().item()


def optimizers(by, modules, decay):
    """SGD with Nesterov momentum; AdamW; or Muon for the blocks' matrices at AdamW's scale (arXiv 2502.16982) and AdamW for the rest."""
    import torch
    named = list(modules.named_parameters())
    plain = [n for n, q in named if q.dim() < 2 or 'pos_embed' in n or 'cls_token' in n]
    matrices = [n for n, q in named if by == 'Muon' and '.blocks.' in n and q.dim() == 2]
    of = lambda names: [q for n, q in named if n in names]
    groups = [dict(params=of([n for n, _ in named if n not in plain + matrices]), weight_decay=decay), dict(params=of(plain), weight_decay=0.)]
    if by == 'SGD': return [torch.optim.SGD(groups, .1, momentum=.9, nesterov=True)]
    rest = torch.optim.AdamW(groups, 1e-3)
    return [torch.optim.Muon(of(matrices), 1e-3, weight_decay=decay, adjust_lr_fn='match_rms_adamw'), rest] if matrices else [rest]


def vary(x, strength, rng):
    """float [n, 3, 64, 64]: images in [0, 255], each rotated (by up to 15 degrees at strength 1), zoomed, stretched, shifted and made more or less colourful,
    by so little that the teachers' answers still hold."""
    import torch, torch.nn.functional as F
    draw = lambda most: rng.uniform(-most * strength, most * strength, len(x))
    turn, zoom, ratio, dx, dy = draw(.26), np.exp(draw(.2)), np.exp(draw(.1)), draw(.15), draw(.15)
    colour = np.where(rng.random(len(x)) < .1 * strength, 0, 1 + draw(.5))
    cos, sin = np.cos(turn) * zoom, np.sin(turn) * zoom
    theta = np.stack([np.stack([cos * ratio, -sin / ratio, dx], 1), np.stack([sin * ratio, cos / ratio, dy], 1)], 1)
    x = F.grid_sample(x, F.affine_grid(torch.from_numpy(theta).float(), x.shape, align_corners=False), 'bilinear', 'reflection', align_corners=False)
    grey = x.mean(1, keepdim=True)
    return grey + torch.from_numpy(colour).float().view(-1, 1, 1, 1) * (x - grey)


def train(kind):
    import torch, torch.nn.functional as F
    torch.set_num_threads(THREADS); torch.manual_seed(1)
    recipe, batch = RECIPES[kind], 128
    os.makedirs(os.path.join(ROOT, 'training/log'), exist_ok=True)
    def say(text):
        print(text, flush=True)
        with open(os.path.join(ROOT, f'training/log/sightline-{kind}.txt'), 'a') as log: print(text, file=log)
    p, features = targets()
    p = soften(p)
    x = [crop_pixels(v) for v in range(VIEWS)]
    _, y = photos('train'); vx, vy = photos('val')
    keep = np.flatnonzero(~held_out(y))
    model = create(kind).to(memory_format=torch.channels_last)
    aux = torch.nn.Linear(model.num_features, features.shape[-1])
    average = create(kind); average.load_state_dict(model.state_dict()); average.eval()
    # Dropped afterwards, like `aux`: predicts the CNN's maps from the ViT's.
    follow = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in zip(WIDTHS['vit'], WIDTHS['cnn']) if kind == 'vit')
    modules, guide = torch.nn.ModuleList([model, aux, follow]), None
    forward = lambda xb, kept: passes(kind, model, xb, kept)
    # A third faster for a transformer with such small steps.
    if kind == 'vit': forward = torch.compile(forward)
    # For each view and photo, the share of the photo that the crop shows.
    areas = np.stack([np.abs(crops(v, len(y))[:, [0, 1], [0, 1]]).prod(1) for v in range(VIEWS)])
    per_epoch = len(keep) // batch
    epochs = sum(c['epochs'] for c in recipe['cycles'])
    checkpoint, first, s = f'{STATE}/{kind}.pt', 0, None
    if os.path.exists(checkpoint):
        s = torch.load(checkpoint)
        if s['epoch'] == epochs: return
        modules.load_state_dict(s['model']); average.load_state_dict(s['average']); first = s['epoch']
    else:
        say(f'sightline-{kind}: {sum(q.numel() for q in model.parameters())} parameters, {len(keep)} photos, {recipe}, batch {batch}, seed 1, torch {torch.__version__}')
    for epoch in range(first, epochs):
        began = 0
        for cycle in recipe['cycles']:
            if epoch < began + cycle['epochs']: break
            began += cycle['epochs']
        if epoch in (first, began):
            opts = optimizers(cycle['by'], modules, recipe['decay'])
            if epoch == first > began:
                for opt, state in zip(opts, s['opts']): opt.load_state_dict(state)
        total, warm = per_epoch * cycle['epochs'], per_epoch * 2
        start, rng, losses = time.time(), np.random.default_rng(1000 + epoch), 0.
        torch.manual_seed(1000 + epoch)
        small = epoch - began < cycle['small']
        if kind == 'vit': model.global_pool = average.global_pool = cycle.get('pool', ARCHITECTURES[kind][1])
        if 'guide' in cycle and guide is None: guide = Guide(crop_pixels(0)[keep[::32]])
        model.train()
        order = rng.permutation(keep)
        shown = areas[:cycle['views'], order] >= cycle.get('least', 0)
        views = (rng.random(shown.shape) * shown).argmax(0)
        for step in range(per_epoch):
            at = (epoch - began) * per_epoch + step
            rate = cycle['rate'] * (at / warm if at < warm else .5 + .5 * math.cos(math.pi * (at - warm) / (total - warm)))
            for group in (group for opt in opts for group in opt.param_groups): group['lr'] = rate
            pick, view = order[step * batch:(step + 1) * batch], views[step * batch:(step + 1) * batch]
            xb = torch.from_numpy(np.stack([x[v][i] for v, i in zip(view, pick)]))
            pb, fb, yb = torch.from_numpy(p[view, pick]).float(), torch.from_numpy(features[view, pick]).float(), torch.from_numpy(y[pick])
            hard = F.one_hot(yb, K).float()
            flip = torch.from_numpy(rng.random(batch) < .5)
            xb = torch.where(flip[:, None, None, None], xb.flip(3), xb)
            if 'vary' in cycle: xb = vary(xb.float(), cycle['vary'], rng)
            else:
                xb = F.pad(xb.float(), (4,) * 4, 'reflect')
                dx, dy = rng.integers(0, 9, 2)
                xb = xb[:, :, dy:dy + SIZE, dx:dx + SIZE]
            # Light, contrast and tint vary; the teachers' answer for a crop hardly changes.
            light = torch.from_numpy(rng.uniform(-.2, .2, (2, batch, 1, 1, 1))).float()
            tint = torch.from_numpy(rng.uniform(-.08, .08, (batch, 3, 1, 1))).float()
            xb = normal(xb) * (1 + light[0] + tint) + light[1]
            label = cycle.get('label', .3)
            soft = label * (hard * .95 + .05 / K) + (1 - label) * pb
            if rng.random() < cycle['mix']:
                other = torch.from_numpy(rng.permutation(batch))
                if rng.random() < .5:
                    share = float(rng.beta(.4, .4))
                    xb = share * xb + (1 - share) * xb[other]
                else:
                    side = int(SIZE * math.sqrt(rng.uniform(.05, .5))); top_, left = rng.integers(0, SIZE - side + 1, 2)
                    xb[:, :, top_:top_ + side, left:left + side] = xb[other][:, :, top_:top_ + side, left:left + side]
                    share = 1 - side * side / SIZE ** 2
                soft, fb = share * soft + (1 - share) * soft[other], share * fb + (1 - share) * fb[other]
            if guide:
                says, shows = guide(xb)
                soft = (1 - cycle['guide']) * soft + cycle['guide'] * says
            kept = torch.rand(batch, 64).argsort(1)[:, :32] if kind == 'vit' and small else None
            if kind == 'cnn' and small: xb = F.interpolate(xb, size=48, mode='bilinear')
            with torch.autocast('cpu', torch.bfloat16):
                *maps, pooled = forward(xb.contiguous(memory_format=torch.channels_last), kept)
                logits, told = model.get_classifier()(pooled).float(), aux(pooled).float()
            loss = -(soft * logits.log_softmax(1)).sum(1).mean() + .5 * F.mse_loss(told, fb)
            if guide:
                for head, mine, shown in zip(follow, maps, shows):
                    if kept is not None: shown = shown.gather(1, kept[:, :, None].expand(-1, -1, shown.shape[2]))
                    with torch.autocast('cpu', torch.bfloat16): mine = head(mine)
                    loss = loss + .4 * F.mse_loss(mine.float(), shown)
            modules.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(modules.parameters(), 2.)
            for opt in opts: opt.step()
            losses += loss.item()
            with torch.no_grad():
                past = epoch * per_epoch + step
                decay = min(.999, (past + 1) / (past + 20))
                for a, b in zip(average.state_dict().values(), model.state_dict().values()):
                    a.lerp_(b, 1 - decay) if a.is_floating_point() else a.copy_(b)
        torch.save(dict(model=modules.state_dict(), average=average.state_dict(), opts=[opt.state_dict() for opt in opts], epoch=epoch + 1), checkpoint + '.part'); os.replace(checkpoint + '.part', checkpoint)
        text = f'epoch {epoch + 1}: loss {losses / per_epoch:.4f}, {time.time() - start:.0f} s'
        if epoch % 4 == 3 or epoch == epochs - 1: text += ', val.tar top-1 {:.4f}, top-5 {:.4f}'.format(*top(predict(average, vx), vy))
        say(text)


def folder(kind):
    return os.path.join(ROOT, f'www/models/sightline-{kind}')


def finish(kind):
    """Saves the averaged weights as an f16 package, with the temperature that fits the held-out training photos best."""
    import torch, torch.nn.functional as F
    from safetensors.torch import save_file
    model = create(kind)
    checkpoint = torch.load(f'{STATE}/{kind}.pt')
    state = {k: v.half() if v.is_floating_point() else v for k, v in checkpoint['average'].items()}
    model.load_state_dict(state); model.eval()
    x, y = photos('train')
    calm = held_out(y)
    logits, y = predict(model, x[calm]), torch.from_numpy(y[calm])
    grid = torch.linspace(.3, 3, 541)
    temperature = grid[torch.stack([F.cross_entropy(logits / t, y) for t in grid]).argmin()].item()
    names = [c['name'] for c in classes()]
    architecture, pool, args = ARCHITECTURES[kind]
    cfg = dict(num_classes=K, input_size=[3, SIZE, SIZE], fixed_input_size=kind == 'vit', crop_pct=1.0, interpolation='bilinear', mean=MEAN, std=STD)
    os.makedirs(folder(kind), exist_ok=True)
    json.dump(dict(architecture=architecture, num_classes=K, global_pool=pool, model_args=dict(args, global_pool=pool), temperature=round(temperature, 3), label_names=names,
                   pretrained_cfg=cfg), open(folder(kind) + '/config.json', 'w'), indent=1)
    json.dump(dict(epochs=checkpoint['epoch']), open(folder(kind) + '/figures.json', 'w'))
    save_file({k: v.contiguous() for k, v in state.items() if not k.endswith('num_batches_tracked')}, folder(kind) + '/model.safetensors')
    os.chmod(folder(kind) + '/model.safetensors', 0o644)
    print(f'sightline-{kind}: temperature {temperature:.3f}, {os.path.getsize(folder(kind) + "/model.safetensors")} bytes')


def calibration_error(p, y, bins=15):
    """Expected calibration error: mean |confidence - accuracy| over equal bins of confidence, weighted by their size (Guo et al. 2017, arXiv 1706.04599)."""
    sure, right = p.max(1).values, (p.argmax(1) == y).float()
    part = (sure * bins).long().clamp(max=bins - 1)
    return sum(abs((sure[part == b] - right[part == b]).mean().item()) * (part == b).float().mean().item() for b in range(bins) if (part == b).any())


def grad_cam(kind, model, x):
    """Grad-CAM for the top class at the default layer: [n, 8, 8], raw."""
    import torch
    layer = model.layer4 if kind == 'cnn' else model.blocks[-1].norm1
    keep = {}
    hook = layer.register_forward_hook(lambda m, i, o: (o.retain_grad(), keep.__setitem__('a', o)) and None)
    model(x).max(1).values.sum().backward(); hook.remove()
    a, g = keep['a'].detach(), keep['a'].grad
    if a.dim() == 3: a, g = (v[:, 1:].transpose(1, 2).unflatten(2, (8, 8)) for v in (a, g))
    return (g.mean((2, 3), keepdim=True) * a).sum(1)


def evaluate(kind):
    """Measures the shipped package on val.tar, opened by timm itself, and writes the model's card."""
    import timm, torch, torch.nn.functional as F
    path = os.path.normpath(folder(kind))
    config = json.load(open(path + '/config.json'))
    model = timm.create_model('local-dir:' + path, pretrained=True).float().eval()
    (x, y), names = photos('val'), config['label_names']
    logits, y = predict(model, x), torch.from_numpy(y)
    one, five = top(logits, y)
    raw, calm = logits.softmax(1), (logits / config['temperature']).softmax(1)
    ece, ece_calm, nll = calibration_error(raw, y), calibration_error(calm, y), F.cross_entropy(logits / config['temperature'], y).item()
    right = (logits.argmax(1) == y).float()
    per_class = sorted((right[y == k].mean().item(), names[k]) for k in range(K))
    pairs = torch.zeros(K, K, dtype=torch.long)
    for truth, said in zip(y.tolist(), logits.argmax(1).tolist()): pairs[truth, said] += truth != said
    worst = sorted(((pairs[i, j].item(), names[i], names[j]) for i in range(K) for j in range(K) if pairs[i, j]), reverse=True)[:10]
    # Grad-CAM against the one box per photo in val_boxes.json.
    boxes = json.load(open(f'{SHARED}/training/photos64/val_boxes.json'))
    with tarfile.open(f'{SHARED}/training/photos64/val.tar') as tar: files = sorted(m.name for m in tar.getmembers() if m.isfile())
    mass, area, hits = [], [], []
    for i in range(0, len(x), 200):
        maps = grad_cam(kind, model, normal(torch.from_numpy(x[i:i + 200]).permute(0, 3, 1, 2)))
        maps = F.interpolate(maps.clamp(min=0)[:, None], (SIZE, SIZE), mode='bilinear')[:, 0]
        for name, m in zip(files[i:i + 200], maps):
            if name not in boxes or m.max() <= 0: continue
            x0, y0, x1, y1 = boxes[name]
            inside = torch.zeros(SIZE, SIZE); inside[y0:y1 + 1, x0:x1 + 1] = 1
            mass.append(((m * inside).sum() / m.sum()).item()); area.append(inside.mean().item()); hits.append(inside.flatten()[m.argmax()].item())
    parameters = sum(p.numel() for p in model.parameters())
    recipe = RECIPES[kind]
    layer = 'layer4' if kind == 'cnn' else f'blocks.{config["model_args"].get("depth", 0) - 1}.norm1'
    cycles = ', then '.join(f"{c['epochs']} epochs at a cosine rate from {c['rate']}" + (f" (the first {c['small']} {'at 48 pixels' if kind == 'cnn' else 'on half of the patches'})" if c['small'] else '') + (f" on crops of at least {c['least']:.0%} of a photo" if 'least' in c else '')
                          + (f", varied{'' if c['vary'] == 1 else ' at strength ' + str(c['vary'])}, with a label share of {c['label']}" if 'vary' in c else '')
                          + (', guided' if 'guide' in c else '') for c in recipe['cycles'])
    varied = '; where varied, also rotations, stretching and more or less colour' if any('vary' in c for c in recipe['cycles']) else ''
    share = ' (or the label share above)' if any('label' in c for c in recipe['cycles']) else ''
    by = ', then '.join(dict.fromkeys({'SGD': 'SGD with Nesterov momentum'}.get(c['by'], c['by']) for c in recipe['cycles']))
    figures = json.load(open(path + '/figures.json'))
    done, total = figures['epochs'], sum(c['epochs'] for c in recipe['cycles'])
    short = f' These weights are from epoch {done} of {total}.' if done < total else ''
    args = ', '.join(f'{k}={v}' for k, v in config['model_args'].items())
    guided = """
  Where guided, half of the target is what `sightline-cnn` predicts for the very same image, varied and mixed as it is, and extra heads, dropped afterwards, make the tokens predict its maps place by place, at three depths.""" if any('guide' in c for c in recipe['cycles']) else ''
    if any('pool' in c for c in recipe['cycles']):
        guided += f"""
  For the first {sum(c['epochs'] for c in recipe['cycles'] if 'pool' in c)} epochs the classifier read the class token; since then it reads the mean of the patch tokens."""
    agreement = """
* **Agreement with `sightline-cnn`** is partly trained: the guidance above taught this model the CNN's answers and its maps, place by place. Where the two look at the same things, that is not the verdict of two independent models.""" if any('guide' in c for c in recipe['cycles']) else ''
    print(f'sightline-{kind}: top-1 {one:.4f}, top-5 {five:.4f}, ECE {ece:.4f}, with temperature {ece_calm:.4f}')
    card = f"""# sightline-{kind}

Recognises 64 everyday things (animals, vehicles, food, household). `{config['architecture']}` with {args}; {parameters:,} parameters, 64 x 64 pixels in, Grad-CAM grid 8 x 8 (`{layer}`).
The weights are stored in f16, in timm's package layout: timm opens the folder with `timm.create_model('local-dir:<folder>', pretrained=True)`.

* **Data**: 32,000 photos of 64 x 64 pixels, 500 of each class, of which 640 were held out for calibration; 3,200 others for measuring. Research use; the photos are not part of this project.
* **Recipe**: `python training/photos.py train`, seed 1, in PyTorch on a CPU; log in `training/log/sightline-{kind}.txt`.{short} {cycles}; batches of 128, {by},
  weight decay {recipe['decay']}; crops, mirrors, shifts, light and tint{varied}; mixed images; averaged weights.
  The target is 0.3 label{share}; the rest is what two ImageNet models (DeiT-tiny, MobileNetV2; Apache-2.0) predict for the same crop, through a small read-out.
  An extra head, dropped afterwards, predicts their logits.{guided}
* **Accuracy** on the 3,200 photos, measured by `python training/photos.py evaluate` with the shipped f16 weights: top-1 **{one:.2%}**, top-5 **{five:.2%}**.
* **Calibration**: expected calibration error (15 bins) {ece:.3f}; with the stored temperature of {config['temperature']}, {ece_calm:.3f}; negative log-likelihood {nll:.3f}. The temperature was fitted on the held-out training photos. It changes probabilities, never logits or maps.
* **Where it looks**: {sum(mass) / len(mass):.1%} of the positive Grad-CAM for the top class lies in the object's box, where the boxes cover {sum(area) / len(area):.1%} of the image; the strongest point is in the box in {sum(hits) / len(hits):.1%} of {len(hits):,} photos. Boxes played no part in training.{agreement}
* **Limits**: it always answers with one of the 64 names, even for a photo of something else. At 64 pixels small things are lost. The photos of a class come from one collection; other views, drawings and people are not covered. Do not use it for decisions about anyone.
* **Licence**: that of the project.

Most confused (truth, answer, photos of 50): {'; '.join(f'{a}, {b}, {n}' for n, a, b in worst)}.

| class | top-1 | class | top-1 | class | top-1 | class | top-1 |
|---|---|---|---|---|---|---|---|
"""
    rows = [per_class[::-1][r::16] for r in range(16)]
    card += ''.join('| ' + ' | '.join(f'{name} | {value:.0%}' for value, name in row) + ' |\n' for row in rows)
    open(path + '/README.md', 'w').write(card)
    json.dump(dict(figures, top1=round(one, 4), top5=round(five, 4), ece=round(ece_calm, 4)), open(path + '/figures.json', 'w'))


def page_crop(image):
    """uint8 [64, 64, 3] as the page prepares a photo for these models: the shorter side resized to 64, bilinear with antialiasing, then the centre crop."""
    short = min(image.size)
    w, h = (SIZE * side // short for side in image.size)
    x, y = round((w - SIZE) / 2), round((h - SIZE) / 2)
    return np.asarray(image.convert('RGB').resize((w, h), Image.BILINEAR).crop((x, y, x + SIZE, y + SIZE)))


def strangers():
    """Images of none of the 64 classes, uint8 [n, 64, 64, 3], by source."""
    import csv
    known, ids = {c['wnid'] for c in classes()}, [line.split()[0] for line in open(f'{SHARED}/labels/imagenet1k.txt')]
    cc_by = [(f"cc_by/{row['file']}", ids[int(row['imagenet_index'])]) for row in csv.DictReader(open(f'{SHARED}/photos/cc_by/labels.csv'))]
    boxes = [(f"boxes/{row['file']}", row['wnid']) for row in json.load(open(f'{SHARED}/photos/boxes/boxes.json'))]
    others = {name: np.stack([page_crop(Image.open(f'{SHARED}/photos/{file}')) for file, wnid in rows if wnid not in known]) for name, rows in (('cc_by', cc_by), ('boxes', boxes))}
    rng = np.random.default_rng(50)
    others['noise'] = rng.integers(0, 256, (20, SIZE, SIZE, 3)).astype(np.uint8)
    others['one colour'] = np.broadcast_to(rng.integers(0, 256, (20, 1, 1, 3)), (20, SIZE, SIZE, 3)).astype(np.uint8)
    others['coloured squares'] = rng.integers(0, 256, (20, 8, 8, 3)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    return others


def scores(logits):
    """Scores computed from logits, each [n] and higher for photos of known things.  `energy` is that of pkg/report/familiarity.js."""
    import torch
    p, best = logits.softmax(1), logits.sort(1, descending=True).values
    centred = logits - logits.mean(1, keepdim=True)
    return {'probability': p.max(1).values, 'energy': centred.logsumexp(1) - math.log(logits.shape[1]), 'margin of logits': best[:, 0] - best[:, 1],
            'margin of probabilities': p.topk(2).values.diff(dim=1).neg()[:, 0], 'entropy': (p * p.clamp(min=1e-12).log()).sum(1),
            'largest logit': centred.max(1).values, 'its z-score': centred.max(1).values / centred.std(1), 'spread': centred.std(1)}


def area(known, other):
    """The probability that a known photo scores higher than another one."""
    return (known[:, None] > other[None]).float().mean().item() + (known[:, None] == other[None]).float().mean().item() / 2


#: The share of held-out photos of known things that may be called unfamiliar.
FALSE_ALARMS = .1


def familiar(kind):
    """Fits the energy below which pkg/report/familiarity.js calls a photo unfamiliar, on held-out photos of known things only; stores it in figures.json and
    measures it on other photos.  For comparison it measures other scores of the logits, and all of them together."""
    import timm, torch
    path = os.path.normpath(folder(kind))
    model = timm.create_model('local-dir:' + path, pretrained=True).float().eval()
    (x, y), (vx, _) = photos('train'), photos('val')
    calm, seen = scores(predict(model, x[held_out(y)])), scores(predict(model, vx))
    others = {name: scores(predict(model, np.ascontiguousarray(z))) for name, z in strangers().items()}
    flagged = lambda s, limit: (s['energy'] < limit) & (s['probability'] < .5)
    limit = round(torch.quantile(calm['energy'], FALSE_ALARMS).item(), 2)
    for energy in (limit, 1.5):
        print(f'sightline-{kind}, energy {energy}: unfamiliar ' + ', '.join(f'{flagged(s, energy).sum()} of {len(s["energy"])} {name}' for name, s in {'held out': calm, 'val.tar': seen, **others}.items()))
    # All scores together: a logistic regression, fitted on one collection of other photos and measured on the other.
    single = list(calm)
    raw = lambda s: torch.stack([s[name] for name in single], 1)
    centre, scale = raw(calm).mean(0), raw(calm).std(0)
    matrix = lambda s: (raw(s) - centre) / scale
    for fit, name in (('cc_by', 'boxes'), ('boxes', 'cc_by')):
        w = torch.zeros(len(single) + 1, requires_grad=True)
        opt = torch.optim.LBFGS([w], max_iter=200)
        def closure():
            opt.zero_grad()
            lean = lambda s: matrix(s) @ w[1:] + w[0]
            loss = torch.nn.functional.softplus(-lean(calm)).mean() + torch.nn.functional.softplus(lean(others[fit])).mean() + .01 * w[1:].square().sum()
            loss.backward()
            return loss
        opt.step(closure)
        for s in (calm, seen, others[name]): s[f'all, fitted with {fit}'] = (matrix(s) @ w[1:]).detach()
    for name in calm:
        cut = torch.quantile(calm[name], FALSE_ALARMS)
        told = [f'{other} {area(seen[name], s[name]):.3f}, {(s[name] < cut).sum()} of {len(s[name])} found' for other, s in others.items() if name in s and other in ('cc_by', 'boxes')]
        print(f'  {name}: area under the curve {"; ".join(told)}, at {(seen[name] < cut).float().mean():.3f} of val.tar')
    figures = json.load(open(path + '/figures.json'))
    json.dump(dict(figures, energy=limit), open(path + '/figures.json', 'w'))


if __name__ == '__main__':
    task = (sys.argv[1:] or ['help'])[0]
    os.makedirs(STATE, exist_ok=True)
    if task == 'teach': teach()
    elif task in RECIPES: train(task)
    elif task in ('finish', 'evaluate', 'familiar'):
        for kind in sys.argv[2:] or RECIPES: globals()[task](kind)
    elif task == 'train':
        teach()
        for kind in RECIPES: train(kind); finish(kind); evaluate(kind); familiar(kind)
    else: print(__doc__)
