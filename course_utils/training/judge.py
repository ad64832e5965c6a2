"""The judge: a small classifier that says what is in a picture of the world.

It is trained on renders, never on the pocket model's pictures, and it judges nothing unless it
names every attribute of held-out renders right at least 98 times in 100. Whoever judges has to know
more than who is judged: it alone has also seen the pairs of thing and colour that are kept from
the model. (A judge that had never seen a blue dog took the true render of one for something else
every other time.)

    python -m course_utils.training.judge [configuration]
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetModel

from course_utils.models import POCKET
from course_utils.training.attributes import UNNAMED, Heads, classes_of, scene_classes
from course_utils.training.data import roughen, with_mirrored, world_pictures
from course_utils.training.loop import Config, fit, read_config
from course_utils.training.vae import to_model
from course_utils.world import HELD_OUT
from course_utils.world.vocabulary import SIZE

BUILD = Path("build/train")
WEIGHTS = POCKET / "judge" / "model.safetensors"
FLOOR = 0.98  # accuracy on held-out renders below which it judges nothing
HELD_OUT_RENDERS = 2000


class Judge(nn.Module):
    """A small residual network with one linear classifier for each attribute."""

    def __init__(self, world: str = "world"):
        """
        Args:
            world: whose pictures it judges, one of `data.WORLDS`.
        """
        super().__init__()
        self.world = world
        sizes = {"embedding_size": 24, "hidden_sizes": [24, 48, 96, 160], "depths": [1, 1, 1, 1]}
        self.network = ResNetModel(ResNetConfig(layer_type="basic", **sizes))
        self.heads = Heads(sizes["hidden_sizes"][-1], classes_of(world))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Pictures (B, 3, 128, 128) in -1..1 → logits (B, classes) for each attribute."""
        return self.heads(self.vectors(x))

    def vectors(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, 128, 128) in -1..1 → what the classifiers see of them, (B, 160)."""
        return self.network(x).pooler_output.flatten(1)

    @torch.no_grad()
    def features(self, pictures: np.ndarray) -> np.ndarray:
        """uint8 pictures (N, H, W, 3) → what the classifiers see of them, (N, 160) float32."""
        parts = [
            self.vectors(fitted(to_model(pictures[i : i + 64])))
            for i in range(0, len(pictures), 64)
        ]
        return torch.cat(parts).numpy()

    @torch.no_grad()
    def classes(self, pictures: np.ndarray) -> dict[str, Tensor]:
        """uint8 pictures (N, H, W, 3) → class numbers (N,) for each attribute.

        It learned from pictures of 128 pixels: others are first made that large.
        """
        parts = [self(fitted(to_model(pictures[i : i + 64]))) for i in range(0, len(pictures), 64)]
        return {name: torch.cat([part[name] for part in parts]).argmax(1) for name in self.heads}

    def names(self, pictures: np.ndarray) -> list[dict[str, str]]:
        """What is in each picture, in words: attribute → name."""
        seen = self.classes(pictures)
        return [
            {name: known[int(seen[name][i])] for name, known in classes_of(self.world).items()}
            for i in range(len(pictures))
        ]


def fitted(x: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in the size of the world's, (B, 3, 128, 128)."""
    if x.shape[2:] == (SIZE, SIZE):
        return x
    return F.interpolate(x, (SIZE, SIZE), mode="bilinear", antialias=True)


def load_judge(file: Path = WEIGHTS, world: str = "world") -> Judge:
    """The bundled judge, or another one, ready to use.

    Args:
        file: its weights.
        world: whose pictures it judges.
    """
    judge = Judge(world)
    judge.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    return judge.eval()


def right(seen: dict[str, Tensor], truth: dict[str, Tensor]) -> dict[str, float]:
    """Share of right answers for each attribute, over the pictures that have it."""
    shares = {}
    for name in truth:
        named = truth[name] != UNNAMED
        shares[name] = float((seen[name] == truth[name])[named].float().mean())
    return shares


def held_out_accuracy(judge: Judge, folder: Path = BUILD, unseen: bool = False) -> dict[str, float]:
    """Accuracy on renders that no training program has seen.

    Args:
        judge: on the CPU.
        folder: where renders are kept.
        unseen: only scenes with one of the UNSEEN_PAIRS.
    """
    renders = world_pictures(
        folder, HELD_OUT_RENDERS, first=HELD_OUT, unseen=unseen, world=judge.world
    )
    truth = scene_classes(renders.scenes, judge.world)
    return right(judge.eval().classes(renders.pictures), truth)


def judge_loss(pictures: np.ndarray, classes: dict[str, Tensor]):
    """Cross-entropy of every attribute, on pictures with a little noise and blur."""

    def loss(model, indices, generator, share):
        x = roughen(to_model(pictures[indices.numpy()]), generator)
        device = next(model.parameters()).device
        logits = model(x[share].to(device))
        losses = {
            name: named_loss(logits[name], numbers[indices[share]].to(device))
            for name, numbers in classes.items()
        }
        return {"loss": sum(losses.values()), **losses}

    return loss


def named_loss(logits: Tensor, numbers: Tensor) -> Tensor:
    """Mean cross-entropy over the pictures that have an attribute; 0 where none of them has.

    Args:
        logits: (B, classes).
        numbers: classes, (B,), UNNAMED where a picture has none.
    """
    total = F.cross_entropy(logits.float(), numbers, reduction="sum")
    return total / (numbers != UNNAMED).sum().clamp(min=1)


def judged_pictures(config: Config, folder: Path) -> tuple[np.ndarray, dict[str, Tensor]]:
    """What a judge learns from: pictures (N, 128, 128, 3) uint8, and the classes of each.

    The option `unseen` says how many pictures of the UNSEEN_PAIRS it sees besides; with `mirrored`
    it also sees every picture as in a mirror.

    Args:
        folder: where renders are kept.
    """
    worlds = [
        world_pictures(folder, config.examples, world=config.world),
        world_pictures(folder, config.options["unseen"], unseen=True, world=config.world),
    ]
    if config.options.get("mirrored"):
        worlds = [with_mirrored(world) for world in worlds]
    scenes = [scene for world in worlds for scene in world.scenes]
    pictures = np.concatenate([world.pictures for world in worlds])
    return pictures, scene_classes(scenes, config.world)


def train_judge(config: Config, folder: Path, stop_after: int | None = None) -> Judge:
    """Train, or go on training, the judge of a configuration; returns its average."""
    pictures, classes = judged_pictures(config, folder.parent)
    torch.manual_seed(config.seed)
    judge = Judge(config.world).to(memory_format=torch.channels_last)
    config = replace(config, examples=len(pictures))
    return fit(judge, judge_loss(pictures, classes), config, folder, stop_after)


if __name__ == "__main__":
    import sys

    name = sys.argv[1] if len(sys.argv) > 1 else "judge"
    trained = train_judge(read_config(name), BUILD / name).cpu()
    weights = WEIGHTS if trained.world == "world" else BUILD / name / "judge" / WEIGHTS.name
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in trained.state_dict().items()}, weights)
    build = (BUILD / name).parent
    unseen = held_out_accuracy(trained, build, unseen=True)
    for attribute, share in held_out_accuracy(trained, build).items():
        print(f"{attribute:11} {share:.4f}, pairs kept from the model {unseen[attribute]:.4f}")
