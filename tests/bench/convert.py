"""What the bench's contenders load: a seeded ResNet-18 and every model as ONNX.

usage: python tests/bench/convert.py OUT ID=FOLDER...       (versions: requirements.txt)

Writes OUT/resnet18-224 and OUT/resnet18-64 (config.json; model.safetensors of one and the same seeded weights in the first), and OUT/ID/model.onnx of these two
and of every FOLDER that holds config.json and model.safetensors in timm's layout, one input [1, C, H, W] to one output of logits. What is newer than this
script and its weights is left as it is.
"""
import json, os, sys
import torch, timm
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
SIDES = (224, 64)


def create(config):
    model = timm.create_model(config['architecture'], num_classes=config['num_classes'], **config.get('model_args', {}))
    return model.eval()


def seeded(out):
    """ResNet-18 with He-initialised convolutions and batch norms that do something, the same at every run."""
    base = os.path.join(out, f'resnet18-{SIDES[0]}')
    weights = os.path.join(base, 'model.safetensors')
    for side in SIDES:
        folder = os.path.join(out, f'resnet18-{side}')
        os.makedirs(folder, exist_ok=True)
        config = dict(architecture='resnet18', num_classes=1000, global_pool='avg', pretrained_cfg=dict(
            num_classes=1000, input_size=[3, side, side], crop_pct=0.875, interpolation='bilinear',
            mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]))
        with open(os.path.join(folder, 'config.json'), 'w') as file:
            json.dump(config, file, indent=1)
        if not fresh(weights, __file__):
            torch.manual_seed(18)
            model = timm.create_model('resnet18', num_classes=1000, zero_init_last=False)
            for name, t in model.state_dict().items():
                if name.endswith('running_mean') or (t.dim() == 1 and name.endswith('bias')):
                    t.normal_(0, 0.1)
                elif name.endswith('running_var') or t.dim() == 1:
                    t.uniform_(0.5, 1.0)
            save_file({k: v for k, v in model.state_dict().items() if v.dim()}, weights)
        yield f'resnet18-{side}', folder, weights


def fresh(file, *sources):
    return os.path.exists(file) and all(os.path.getmtime(file) >= os.path.getmtime(s) for s in sources)


def convert(name, folder, weights, out):
    target = os.path.join(out, name, 'model.onnx')
    with open(os.path.join(folder, 'config.json')) as file:
        config = json.load(file)
    if fresh(target, __file__, weights):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    model = create(config)
    state = {k: v.float() if v.is_floating_point() else v for k, v in load_file(weights).items()}
    missing, extra = model.load_state_dict(state, strict=False)
    missing = [k for k in missing if not k.endswith('num_batches_tracked')]
    if missing or extra:
        raise SystemExit(f'{name}: tensors missing {missing}, not known {extra}')
    x = torch.zeros(1, *config['pretrained_cfg']['input_size'])
    with torch.no_grad():
        torch.onnx.export(model, (x,), target, input_names=['input'], output_names=['logits'], opset_version=20, external_data=False, verbose=False)
    print(f'{name}: {os.path.getsize(target) / 1e6:.1f} MB of ONNX')


if __name__ == '__main__':
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    out = sys.argv[1]
    for name, folder, weights in seeded(out):
        convert(name, folder, weights, out)
    for argument in sys.argv[2:]:
        name, folder = argument.split('=', 1)
        convert(name, folder, os.path.join(folder, 'model.safetensors'), out)
