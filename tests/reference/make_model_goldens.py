"""Reference tensors of small models of every family, from timm, torchvision and captum.

usage: python tests/reference/make_model_goldens.py [--check] [name...]       (from the repository root; versions: requirements.txt)

Writes tests/golden/models/<name>/{config.json, golden.json, golden.safetensors} and, with real weight files,
tests/golden/packages/<name>/ (the same three and model.safetensors), and tests/golden/models/torchvision_keys.json.
With --check nothing is written: every golden is made again from its own seed and compared with the committed one.  All tensors are float32 on disk, except the
weights of an f16 package.  What each file holds is described in tests/golden/models/README.md, with the hash below.

Weights are not stored for tests/golden/models: they are a function of (seed, gain, tensor name, element index), exact
in float32, so that any language can make them.  Integers are unsigned and wrap at 64 bits.

    fnv(name)  = FNV-1a 64 of the name's bytes:  h = 0xcbf29ce484222325;  for each byte: h = (h ^ byte) * 0x100000001b3
    mix(z)     = splitmix64's finaliser:  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;  z = (z ^ z >> 27) * 0x94d049bb133111eb;  z ^ z >> 31
    h(i)       = mix((seed ^ fnv(name)) + (i + 1) * 0x9e3779b97f4a7c15)     i: row-major element index, from 0
    v(i)       = float32(h(i) >> 40) / 2^23 - 1                             in [-1, 1), exact

    tensor, by the first rule that fits                              value (float32; one rounding, at the sum or product, at most)
    ends in num_batches_tracked                                      0 (int64; not needed)
    ends in running_var, or in gamma, or 1-D and ends in weight      1 + v / 2
    ends in running_mean                                             v / 4
    ends in bias                                                     v / 8
    is cls_token, dist_token, reg_token or pos_embed                 v
    4-D with a second dimension of 1 (depthwise)                     v
    else (other 2-D and 4-D weights)                                 gain * v / 2^k,  k the smallest integer >= 0 with 6 * 4^k >= fan_in,
                                                                     fan_in the product of all dimensions but the first

gain is 1 but in deep nets where a signal would die out among the biases: without residual sums, or with gates.

A random net of ReLUs is chaotic: where an activation lies within rounding of a kink, two correct float32 programs differ.
So each golden takes the first seed at which float32 and float64 agree on every tensor: 1 - cosine < 1e-7, and the largest difference
over the largest value below 4e-6 for the logits and 1e-5 for the rest (but for integrated gradients, which pass many points and are
compared by their cosine).
"""
import copy, fnmatch, json, os, sys, tempfile
import numpy as np, torch, timm, torchvision, captum
from captum.attr import IntegratedGradients
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
NAMES = [a for a in sys.argv[1:] if a != '--check']
CHECK = '--check' in sys.argv
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden')
M64 = (1 << 64) - 1


def fnv(name):
    h = 0xcbf29ce484222325
    for b in name.encode():
        h = (h ^ b) * 0x100000001b3 & M64
    return h


def unit(seed, name, n):
    """v(0..n) of the docstring, as float32."""
    with np.errstate(over='ignore'):
        z = np.uint64(seed ^ fnv(name)) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94d049bb133111eb)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)


def value(seed, name, shape, gain=1):
    """The tensor `name` of `shape` by the rules of the docstring."""
    n = int(np.prod(shape))
    v, one = unit(seed, name, n), np.float32(1)
    if name.endswith(('running_var', 'gamma')) or (len(shape) == 1 and name.endswith('weight')):
        v = one + v / np.float32(2)
    elif name.endswith('running_mean'):
        v = v / np.float32(4)
    elif name.endswith('bias'):
        v = v / np.float32(8)
    elif name not in ('cls_token', 'dist_token', 'reg_token', 'pos_embed') and not (len(shape) == 4 and shape[1] == 1):
        fan_in, k = int(np.prod(shape[1:])), 0
        while 6 * 4 ** k < fan_in:
            k += 1
        v = v * np.float32(gain) / np.float32(2 ** k)
    return torch.from_numpy(v.reshape(shape))


def fill(model, seed, half, gain=1):
    sd = {}
    for name, t in model.state_dict().items():
        if name.endswith('num_batches_tracked'):
            sd[name] = torch.zeros_like(t)
            continue
        w = value(seed, name, tuple(t.shape), gain)
        sd[name] = w.half().float() if half else w
    model.load_state_dict(sd)
    return sd


def grid(model, size, t):
    """Tokens [1, T, D] -> [1, D, h, w], prefix tokens dropped; maps pass."""
    if t.dim() == 4:
        return t
    p = model.patch_embed.patch_size
    return t[:, model.num_prefix_tokens:].transpose(1, 2).reshape(1, -1, size[1] // p[0], size[2] // p[1])


def measure(model, size, x, taps, lname, full, ig):
    """All golden tensors of `model` at `x`, and what is to be said about them."""
    names = [*taps, lname] if lname not in taps else taps
    keep, hooks = {}, []
    for n in names:
        hooks.append(model.get_submodule(n).register_forward_hook(lambda mod, i, o, n=n: (o.retain_grad(), keep.__setitem__(n, o)) and None))
    xx = x.clone().requires_grad_()
    logits = model(xx)
    t = int(logits.argmax())
    logits[0, t].backward()
    for h in hooks:
        h.remove()
    tensors = {'input': x, 'logits': logits}
    meta = dict(target=t, score=logits[0, t].item(), layer=lname, layers={n: list(keep[n].shape) for n in names})
    if full:
        a, g = (grid(model, size, v) for v in (keep[lname].detach(), keep[lname].grad))
        tensors['input_gradient'] = xx.grad
        tensors['grad_cam'] = (g.mean((2, 3), keepdim=True) * a).sum(1)
        tensors['hires_cam'] = (g * a).sum(1)
        for n in taps:
            tensors[f'activation.{n}'], tensors[f'gradient.{n}'] = keep[n], keep[n].grad
        meta['baseline'] = 'zeros after normalisation'
        with torch.no_grad():
            meta['baseline_score'] = model(torch.zeros_like(x))[0, t].item()
        meta['ig'] = []
        for steps in ig:
            ig, d = IntegratedGradients(model).attribute(x, torch.zeros_like(x), target=t, n_steps=steps, method='gausslegendre',
                                                         internal_batch_size=10, return_convergence_delta=True)
            tensors[f'integrated_gradients_{steps}'] = ig
            meta['ig'].append(dict(n_steps=steps, rule='gauss-legendre', sum=ig.sum().item(), delta=d.item()))
    return {k: v.detach().clone().contiguous() for k, v in tensors.items()}, meta


def relative(a, b):
    """Largest difference over the largest value of b."""
    return ((a.double() - b).abs().max() / b.abs().max()).item()


def sound(model, size, seed, tensors, exact):
    """Whether a wrong answer could be told from this golden: maps not flat, the input matters, units neither dead
    nor all at their cap, and no activation within rounding of a kink."""
    other = torch.randn(1, *size, generator=torch.Generator().manual_seed(seed + 1 & 0x7fffffff))
    with torch.no_grad():
        moved = (model(other) - tensors['logits']).std() / tensors['logits'].std()
    flat = [k for k, v in tensors.items() if not v.isfinite().all() or v.std(correction=0) < 1e-3 * v.abs().max() or v.abs().max() < 1e-4]
    worst = max(1 - torch.cosine_similarity(v.double().flatten(), exact[k].flatten(), 0).item() for k, v in tensors.items())
    far = {k: relative(v, exact[k]) for k, v in tensors.items() if k != 'input' and not k.startswith('integrated')}
    logits, rest = far.pop('logits'), max(far.values(), default=0)
    a = [v for k, v in tensors.items() if k.startswith('activation')]
    alive = all((v == 0).float().mean() < .9 and (v == 6).float().mean() < .5 for v in a)
    return (moved > .1 and not flat and worst < 1e-7 and logits < 4e-6 and rest < 1e-5 and alive,
            f'moved {moved:.2f} flat {flat} f64: cosine {worst:.1e} logits {logits:.1e} rest {rest:.1e}')


def build(arch, library, num_classes, cfg, model_args):
    if library == 'torchvision':
        model = torchvision.models.get_model(arch, num_classes=num_classes)
        if 'mlp_ratio' in model_args:   # timm's argument: VGG's first hidden layer is narrower
            width = int(4096 * model_args['mlp_ratio'])
            model.classifier[0] = torch.nn.Linear(512 * 7 * 7, width)
            model.classifier[3] = torch.nn.Linear(width, 4096)
        return model.eval()
    # As timm opens a package: create_model drops arguments that are None before it reads those of the package, which stay.
    with tempfile.TemporaryDirectory() as folder:
        json.dump(dict(architecture=arch, num_classes=num_classes, model_args=model_args, pretrained_cfg=cfg), open(f'{folder}/config.json', 'w'))
        return timm.create_model('local-dir:' + folder).eval()


def make(folder, name, arch, num_classes, size, model_args, taps, layer, full=True, weights=None, extra=None, pool='avg', fixed=False, ig=(8, 50), library='timm', gain=1):
    """One golden: config, tensors and a note of what they are.  `weights`: None (the hash alone), 'f32' or 'f16' file.  `library`: timm or torchvision.
    `gain`: of the hash."""
    if NAMES and name not in NAMES:
        return
    out = os.path.join(ROOT, folder, name)
    os.makedirs(out, exist_ok=True)
    size = [3, *size]
    cfg = dict(num_classes=num_classes, input_size=size, fixed_input_size=fixed, crop_pct=1.0, interpolation='bilinear',
               mean=[.5, .5, .5], std=[.5, .5, .5])
    committed = json.load(open(f'{out}/golden.json')) if CHECK else {}
    for seed in [committed['seed']] if CHECK else range(1, 100):
        model = build(arch, library, num_classes, cfg, model_args)
        for module in model.modules():
            if getattr(module, 'inplace', False):
                module.inplace = False   # taps keep what they saw
        sd = fill(model, seed, weights == 'f16', gain)
        x = torch.randn(1, *size, generator=torch.Generator().manual_seed(seed))
        tensors, meta = measure(model, size, x, taps, layer, full, ig)
        exact = measure(copy.deepcopy(model).double(), size, x.double(), taps, layer, full, ig)[0]
        ok, why = sound(model, size, seed, tensors, exact)
        if CHECK:
            old = load_file(f'{out}/golden.safetensors')
            same = max(relative(tensors[k], v.double()) for k, v in old.items()) if old.keys() == tensors.keys() else 'other tensors'
            print(f"{name:24} {'good' if ok else 'POOR'} {why} committed {same}", flush=True)
            return
        if ok:
            break
        print(f'{name}: seed {seed} will not do: {why}', flush=True)
    else:
        raise SystemExit(f'{name}: no sound seed: {why}')
    config = dict(architecture=arch, num_classes=num_classes, global_pool=model_args.get('global_pool', pool),
                  **(dict(model_args=model_args) if model_args else {}), **(extra or {}), pretrained_cfg=cfg)
    if library == 'timm':
        config['num_features'] = model.num_features
    json.dump(config, open(f'{out}/config.json', 'w'), indent=1)
    meta = dict(name=name, architecture=arch, weights=f'model.safetensors, {weights}' if weights else 'hash', seed=seed,
                **(dict(gain=gain) if gain != 1 else {}), **(dict(keys=library) if library != 'timm' else {}),
                parameters=sum(p.numel() for p in model.parameters()), **meta,
                versions=dict(torch=torch.__version__, timm=timm.__version__, torchvision=torchvision.__version__, captum=captum.__version__))
    json.dump(meta, open(f'{out}/golden.json', 'w'), indent=1)
    save_file(tensors, f'{out}/golden.safetensors')
    if weights:
        dt = torch.float16 if weights == 'f16' else torch.float32
        save_file({k: v.to(dt).contiguous() for k, v in sd.items() if not k.endswith('num_batches_tracked')}, f'{out}/model.safetensors', metadata={'format': 'pt'})
        again = timm.create_model('local-dir:' + out, pretrained=True).eval()   # timm's own way to open a package
        with torch.no_grad():
            assert torch.allclose(again(x), tensors['logits'], atol=1e-5), 'timm reads the package differently'
    deltas = [round(i['delta'], 4) for i in meta.get('ig', [])]
    print(f"{name:24} seed {seed} target {meta['target']} score {meta['score']:.3f} IG deltas {deltas} {why}", flush=True)


def keys():
    """What torchvision calls the tensors of the nets that most courses hand out: per name, the FNV-1a of the sorted lines
    `name dim dim...` of its state dict (5 classes), and the number of lines.  Counters of batches do not count."""
    path, found = os.path.join(ROOT, 'models', 'torchvision_keys.json'), {}
    for arch in torchvision.models.list_models():
        if any(fnmatch.fnmatch(arch, p) for p in ('resnet*', 'vgg*', 'densenet*', 'squeezenet1_*', 'alexnet', 'mobilenet_v2')):
            with torch.device('meta'):
                sd = torchvision.models.get_model(arch, num_classes=5).state_dict()
            lines = sorted(' '.join([k, *map(str, v.shape)]) for k, v in sd.items() if not k.endswith('num_batches_tracked'))
            found[arch] = dict(tensors=len(lines), fnv=f'{fnv(chr(10).join(lines)):016x}')
    if CHECK:
        print('torchvision_keys.json', 'same' if json.load(open(path)) == found else 'OTHER')
    else:
        json.dump(found, open(path, 'w'), indent=1)


def main():
    if not NAMES or 'torchvision_keys' in NAMES:
        keys()
    small = dict(img_size=32, patch_size=8, embed_dim=24, depth=3, num_heads=3)
    vit, deit = 'vit_tiny_patch16_224', 'deit_tiny_patch16_224'
    t = ['blocks.0', 'blocks.2.norm1']
    def v(name, args, size=(32, 32), arch=vit, taps=t, depth=None, **kw):
        make('models', name, arch, 7, size, args, taps, f"blocks.{depth or args.get('depth', 12) - 1}.norm1", pool='token', fixed=True, **kw)
    v('vit_token', small)
    v('vit_avg_fc_norm', dict(small, global_pool='avg', qkv_bias=False, mlp_ratio=2))
    v('vit_avg_norm', dict(small, global_pool='avg', class_token=False, fc_norm=False, drop_rate=.1, drop_path_rate=.1), taps=['blocks.1', 'norm'])
    v('deit_24x40', dict(small, img_size=[24, 40], depth=2), size=(24, 40), arch=deit, taps=['patch_embed', 'blocks.1.attn'])
    v('vit_pre_norm_scale', dict(small, depth=2, pre_norm=True, init_values=1e-5), taps=['norm_pre', 'blocks.0.ls1'])
    v('vit_reg', dict(small, depth=2, reg_tokens=2), taps=['blocks.0', 'blocks.1.mlp'])
    v('vit_reg_no_embed_class', dict(small, depth=2, reg_tokens=2, no_embed_class=True, global_pool='avg'), taps=['blocks.0', 'blocks.1.norm2'])
    v('vit_qk_norm', dict(small, depth=2, qk_norm=True, proj_bias=False), taps=['blocks.0', 'blocks.1.norm1'])
    # No img_size in model_args: timm takes it from pretrained_cfg.input_size where fixed_input_size is true.
    v('vit_cfg_size', dict(patch_size=16, embed_dim=32, depth=2, num_heads=2), size=(48, 48), taps=['blocks.0', 'blocks.1.norm1'])

    def c(name, width, size, args, **kw):
        make('models', name, f'mobilenetv2_{width}', 10, size, args, kw.pop('taps', ['blocks.2', 'blocks.5']), 'bn2', **kw)
    c('mbv2_035', '035', (48, 40), {}, taps=['blocks.1', 'blocks.3.1'])
    c('mbv2_035_odd', '035', (33, 45), {}, taps=['bn1', 'blocks.4'])
    c('mbv2_035_same', '035', (48, 40), dict(pad_type='same'))
    c('mbv2_035_same_odd', '035', (33, 45), dict(pad_type='same', drop_rate=.2, drop_path_rate=.1))
    c('mbv2_050_stride8', '050', (40, 40), dict(output_stride=8), taps=['blocks.3', 'blocks.5'])
    c('mbv2_050_same_stride16', '050', (41, 33), dict(output_stride=16, pad_type='same'), taps=['blocks.5', 'blocks.6'])
    for width in ('075', '100', '110d', '120d', '140'):
        c(f'mbv2_{width}', width, (32, 32), {}, full=False)

    def m(name, arch, size, args, taps, layer, **kw):
        make('models', name, arch, 7, size, args, taps, layer, **dict(dict(ig=(8,)), **kw))
    few = dict(layers=[1, 2, 1, 1], channels=[8, 16, 24, 32])
    m('resnet_basic', 'resnet18', (40, 48), few, ['layer2', 'layer3.0'], 'layer4')
    m('resnet_bottleneck', 'resnet50', (48, 40), few, ['layer1.0', 'layer3'], 'layer4')
    m('resnet_odd_stride8', 'resnet34', (45, 51), dict(few, output_stride=8), ['layer3', 'layer4'], 'layer4')
    m('resnet_d', 'resnet50d', (47, 40), dict(few, stem_width=8), ['maxpool', 'layer2.1'], 'layer4')
    m('resnet_d_stride16', 'resnet18d', (45, 48), dict(few, output_stride=16), ['layer3', 'layer4'], 'layer4')
    m('resnet_d_stride8', 'resnet50d', (37, 32), dict(few, channels=[4, 6, 8, 10], stem_width=8, output_stride=8), ['layer2.0', 'layer3'], 'layer4', ig=())
    m('resnet_deep_avg_down', 'resnet50', (33, 47), dict(few, channels=[4, 6, 8, 10], stem_type='deep', stem_width=8, avg_down=True), ['layer1.0', 'layer2.1'], 'layer4', ig=())
    m('resnet_t', 'resnet14t', (48, 48), dict(channels=[8, 16, 24, 32]), ['act1', 'layer3'], 'layer4')
    m('seresnet', 'seresnet18', (40, 48), dict(layers=[1, 2, 1, 1], channels=[8, 16, 24, 200]), ['layer1', 'layer3.0'], 'layer4')
    m('seresnext', 'seresnext50_32x4d', (48, 40), dict(layers=[1, 1, 1, 1], channels=[16, 16, 32, 32]), ['layer2', 'layer3'], 'layer4')
    m('resnext', 'resnext50_32x4d', (48, 48), dict(layers=[1, 1, 1, 1], channels=[16, 16, 32, 32]), ['layer2', 'layer3'], 'layer4')

    v('deit_distilled', small, arch='deit_tiny_distilled_patch16_224', taps=['blocks.0', 'blocks.1.attn'], ig=(8,))
    v('deit3', dict(small, depth=2), arch='deit3_small_patch16_224', taps=['blocks.0.ls1', 'blocks.1'], ig=(8,))
    v('dinov2', dict(small, depth=2, num_heads=2), arch='vit_small_patch14_dinov2', taps=['blocks.0', 'blocks.1.mlp'], ig=(8,))
    v('dinov2_reg4', dict(img_size=28, embed_dim=24, depth=2, num_heads=3), size=(28, 28), arch='vit_small_patch14_reg4_dinov2', taps=['blocks.0', 'blocks.1.norm2'], ig=(8,))

    m('densenet_tiny', 'densenet121', (64, 72), dict(growth_rate=8, block_config=[2, 3, 2, 2]), ['features.denseblock2', 'features.transition2'], 'features.norm5', gain=1.25)
    m('densenet_deep_stem', 'densenet121', (97, 65), dict(growth_rate=8, block_config=[1, 1, 2, 1], stem_type='deep'), ['features.denseblock1', 'features.denseblock3'], 'features.norm5', gain=1.25)
    m('densenet121', 'densenet121', (64, 64), {}, ['features.transition3', 'features.norm5'], 'features.norm5', ig=())
    for depth in (161, 169, 201):
        m(f'densenet{depth}', f'densenet{depth}', (64, 64), {}, [], 'features.norm5', full=False, gain=1.25)
    m('vgg11', 'vgg11', (40, 33), dict(mlp_ratio=.0078125), ['features.12', 'features.15'], 'features.19', gain=1.5)
    m('vgg11_bn', 'vgg11_bn', (64, 48), dict(mlp_ratio=.0078125), ['features.17', 'features.21'], 'features.27', gain=1.5)
    for arch, last in dict(vgg13=23, vgg16=29, vgg19=35, vgg13_bn=33, vgg16_bn=42, vgg19_bn=51).items():
        m(arch, arch, (33, 64), dict(mlp_ratio=.0078125), [], f'features.{last}', full=False, gain=1.5)
    m('vgg11_large', 'vgg11', (256, 240), dict(mlp_ratio=.0078125), [], 'features.19', full=False)
    m('mobilenetv3_small_050', 'mobilenetv3_small_050', (64, 64), {}, ['blocks.2', 'blocks.4'], 'blocks.5')
    m('mobilenetv3_large_100', 'mobilenetv3_large_100', (64, 72), {}, ['blocks.3.1', 'blocks.5'], 'blocks.6', ig=())
    m('tf_mobilenetv3_small_075', 'tf_mobilenetv3_small_075', (61, 64), {}, ['blocks.2', 'blocks.4'], 'blocks.5', ig=())
    m('tf_mobilenetv3_small_minimal', 'tf_mobilenetv3_small_minimal_100', (64, 64), {}, ['blocks.2', 'blocks.4'], 'blocks.5', ig=())
    m('efficientnet_b0', 'efficientnet_b0', (64, 64), {}, ['blocks.2', 'blocks.4.1'], 'bn2', gain=1.25)
    m('efficientnet_lite0', 'efficientnet_lite0', (64, 64), {}, ['blocks.2', 'blocks.4'], 'bn2', ig=())
    m('tf_efficientnet_b0', 'tf_efficientnet_b0', (65, 64), {}, ['blocks.2', 'blocks.4'], 'bn2', ig=(), gain=1.25)
    m('tf_efficientnet_lite0', 'tf_efficientnet_lite0', (63, 64), {}, ['blocks.2', 'blocks.4'], 'bn2', ig=())
    m('efficientnet_b0_stride16', 'efficientnet_b0', (41, 48), dict(output_stride=16), ['blocks.3', 'blocks.6'], 'bn2', ig=(), gain=1.25)
    for arch in ('efficientnet_b1', 'efficientnet_b2', 'efficientnet_b3', 'tf_efficientnet_b1', 'efficientnet_lite1', 'tf_efficientnet_lite2'):
        m(arch, arch, (64, 64), {}, [], 'bn2', full=False, gain=1 if 'lite' in arch else 1.125)
    for arch in ('mobilenetv3_small_075', 'mobilenetv3_large_075', 'mobilenetv3_large_150d', 'tf_mobilenetv3_large_minimal_100'):
        m(arch, arch, (48, 40), {}, [], 'blocks.5' if 'small' in arch else 'blocks.6', full=False)
    narrow = dict(depths=[1, 1, 2, 1], dims=[8, 16, 24, 32])
    m('convnext', 'convnext_tiny', (64, 64), narrow, ['stages.1', 'stages.2.blocks.0'], 'stages.3')
    m('convnext_conv_mlp', 'convnext_atto', (67, 72), narrow, ['stages.1', 'stages.2.blocks.1'], 'stages.3')
    m('convnext_overlap', 'convnext_atto_ols', (64, 64), narrow, ['stages.1', 'stages.2'], 'stages.3', ig=())
    m('convnext_stride8', 'convnext_tiny', (64, 64), dict(narrow, output_stride=8), ['stages.2', 'stages.3'], 'stages.3', ig=())
    m('convnext_overlap_odd', 'convnext_atto_ols', (67, 53), narrow, ['stem', 'stages.2.blocks.0'], 'stages.3', ig=())
    m('convnext_tiered', 'convnext_tiny', (51, 67), dict(narrow, stem_type='overlap_tiered', output_stride=16), ['stem', 'stages.2'], 'stages.3', ig=())
    m('convnext_patch2', 'convnext_tiny', (67, 70), dict(narrow, patch_size=2, ls_init_value=None, conv_bias=False, kernel_sizes=5), ['stages.0', 'stages.2'], 'stages.3', ig=())
    m('convnextv2', 'convnextv2_atto', (64, 64), narrow, ['stages.1', 'stages.2'], 'stages.3')
    m('convnextv2_plain_mlp', 'convnextv2_tiny', (64, 64), dict(narrow, conv_mlp=False), ['stages.1', 'stages.2'], 'stages.3', ig=())
    m('regnety_002', 'regnety_002', (64, 64), {}, ['s2', 's3.b2'], 's4')
    for size in ('004', '008', '016', '032'):
        m(f'regnety_{size}', f'regnety_{size}', (64, 64), {}, [], 's4', full=False, gain=1.125)
    m('inception_v3', 'inception_v3', (107, 128), {}, ['Mixed_6a', 'Mixed_7a'], 'Mixed_7c', ig=(), gain=1.5)
    m('inception_resnet_v2', 'inception_resnet_v2', (107, 128), {}, ['mixed_6a', 'mixed_7a'], 'conv2d_7b', ig=(), gain=1.25)

    tv = lambda name, *a, **kw: m('torchvision_' + name, name, *a, library='torchvision', **kw)
    tv('vgg11_bn', (48, 48), dict(mlp_ratio=.0078125), ['features.17', 'features.21'], 'features.27', ig=(), gain=1.5)
    tv('alexnet', (80, 72), {}, ['features.5', 'features.8'], 'features.11', gain=1.5)
    tv('squeezenet1_0', (64, 72), {}, ['features.7', 'features.9'], 'features.12', gain=1.5)
    tv('squeezenet1_1', (65, 64), {}, ['features.6', 'features.9'], 'features.12', ig=(), gain=1.5)
    tv('resnet18', (64, 48), {}, [], 'layer4', full=False, gain=1.25)
    tv('densenet121', (64, 64), {}, [], 'features.norm5', full=False, gain=1.25)
    tv('mobilenet_v2', (64, 64), {}, ['features.7', 'features.14'], 'features.18')

    labels = ['amber', 'birch', 'cobalt', 'dune', 'ember', 'fern', 'garnet', 'heath', 'indigo', 'jade']
    make('packages', 'tiny-vit', vit, 10, (32, 32), small, t, 'blocks.2.norm1', weights='f32', extra=dict(label_names=labels), pool='token', fixed=True)
    make('packages', 'tiny-cnn', 'mobilenetv2_035', 10, (64, 64), dict(output_stride=16, pad_type='same'), ['blocks.2', 'blocks.5'], 'bn2',
         weights='f16', extra=dict(label_names=labels))


if __name__ == '__main__':
    main()
