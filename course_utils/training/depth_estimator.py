"""Train the depth estimator: a small DPT that tells from a picture how far away everything is.

The depth that the world was drawn with teaches it. Like the DPT in Stable Diffusion's
depth-to-image it says how near things are, not how far: `predicted_depth` is INVERSE / metres.

    python -m course_utils.training.depth_estimator [configuration]
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessorPil

from course_utils.training.data import Pictures, roughen, world_pictures
from course_utils.training.loop import Config, fit, read_config
from course_utils.training.vae import edges, to_model
from course_utils.world import HELD_OUT
from course_utils.world.canvas import FAR
from course_utils.world.vocabulary import SIZE

BUILD = Path("build/train")
INVERSE = 10.0  # predicted_depth = INVERSE / metres: 0.2 for the sky, 5 for what is 2 m away
HELD_OUT_RENDERS = 500


def make_depth_estimator(sizes: dict) -> DPTForDepthEstimation:
    """A depth estimator for pictures of 128×128; sizes as in its configuration.

    It ends in a ReLU, below which nothing is learned, so it starts by saying 1 everywhere. What
    its answer does not depend on is frozen: several processes would wait for its gradient.
    """
    config = DPTConfig(image_size=SIZE, attn_implementation="eager", **sizes)  # faster to train
    estimator = DPTForDepthEstimation(config)
    last = estimator.head.head[4]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.ones_(last.bias)
    estimator.dpt.layernorm.requires_grad_(False)
    estimator.neck.fusion_stage.layers[0].residual_layer1.requires_grad_(False)
    if config.is_hybrid:
        estimator.dpt.embeddings.backbone.bit.norm.requires_grad_(False)
    return estimator.to(memory_format=torch.channels_last)


def make_feature_extractor() -> DPTImageProcessorPil:
    """What makes a PIL picture into the estimator's input: (3, 128, 128) in -1..1."""
    half = [0.5, 0.5, 0.5]
    return DPTImageProcessorPil(
        size={"height": SIZE, "width": SIZE},
        keep_aspect_ratio=False,
        image_mean=half,
        image_std=half,
    )


def metres(predicted_depth: Tensor) -> Tensor:
    """What the estimator says, in metres; nothing is farther away than the sky."""
    return INVERSE / predicted_depth.clamp(min=INVERSE / FAR)


def depth_loss(world: Pictures):
    """The loss of the depth estimator for `fit`: L1 of the logarithm, and of its edges.

    The logarithm makes relative errors count: 10 cm at 2 m as much as 2.5 m at the sky.
    """
    floor = INVERSE / FAR / 4  # the logarithm of zero has no gradient

    def loss(model, indices, generator, share):
        places = indices.numpy()
        x = roughen(to_model(world.pictures[places]), generator)
        truth = torch.from_numpy(np.array(world.depth[places], np.float32))
        device = next(model.parameters()).device
        x, truth = x[share].to(device), (INVERSE / truth[share].to(device)).log()
        said = model(x).predicted_depth.float().clamp(min=floor).log()
        log = F.l1_loss(said, truth)
        edge = sum(F.l1_loss(a, b) for a, b in zip(edges(said), edges(truth), strict=True))
        return {"loss": log + 0.5 * edge, "log": log, "edge": edge}

    return loss


@torch.no_grad()
def depth_error(estimator: DPTForDepthEstimation, pictures: np.ndarray, depth: np.ndarray) -> float:
    """Mean absolute relative error of the depth: 0.1 is 10 % of the true distance.

    Args:
        estimator: on the CPU.
        pictures: (N, 128, 128, 3) uint8.
        depth: true distances in metres, (N, 128, 128).
    """
    errors = []
    for i in range(0, len(pictures), 32):
        truth = torch.from_numpy(np.array(depth[i : i + 32], np.float32))
        said = metres(estimator(to_model(pictures[i : i + 32])).predicted_depth)
        errors.append(((said - truth).abs() / truth).mean(dim=(1, 2)))
    return float(torch.cat(errors).mean())


def train_depth_estimator(
    config: Config, folder: Path, stop_after: int | None = None
) -> DPTForDepthEstimation:
    """Train, or go on training, the depth estimator of a configuration; returns its average."""
    world = world_pictures(folder.parent, config.examples, world=config.world)
    torch.manual_seed(config.seed)
    return fit(make_depth_estimator(config.model), depth_loss(world), config, folder, stop_after)


if __name__ == "__main__":
    import sys

    name = sys.argv[1] if len(sys.argv) > 1 else "depth_estimator"
    trained = train_depth_estimator(read_config(name), BUILD / name).cpu().eval()
    trained.save_pretrained(BUILD / name / "depth_estimator")
    make_feature_extractor().save_pretrained(BUILD / name / "feature_extractor")
    renders = world_pictures(BUILD, HELD_OUT_RENDERS, first=HELD_OUT)
    error = depth_error(trained, renders.pictures, renders.depth)
    print(f"saved to {BUILD / name}; error on held-out renders {error:.3f}")
