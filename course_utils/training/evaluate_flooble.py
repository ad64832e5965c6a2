"""Does the model draw a flooble when it is asked for one? Measured before and after its training.

    python -m course_utils.training.evaluate_flooble

Who judges is a copy of the bundled judge with one more class, trained for some minutes on renders
of floobles among renders of the world. It judges nothing unless it is right on held-out ones. All
is kept in `build/evaluate_flooble`, and goes on where it was stopped. Writes a table, and
`build/evaluate_flooble.json`.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from course_utils import pipeline
from course_utils.drawing import make_scheduler
from course_utils.models import POCKET_THREADS, load
from course_utils.training.attributes import CLASSES, UNNAMED, scene_classes
from course_utils.training.data import world_pictures
from course_utils.training.evaluate import held_out_prompts
from course_utils.training.flooble import Flooble, flooble
from course_utils.training.judge import FLOOR, Judge, judge_loss, load_judge
from course_utils.training.loop import Config, fit
from course_utils.training.report import write_json
from course_utils.training.runs import home, run_folder
from course_utils.training.textual_inversion import WORD, WORD_ALONE, train_word, with_word
from course_utils.world import HELD_OUT
from course_utils.world.vocabulary import SUBJECTS

REPORT = Path("build/evaluate_flooble.json")
BUILD = Path("build/evaluate_flooble")
CLASS = len(SUBJECTS)  # of a flooble: one more than the world has
PICTURES, BATCH = 104, 8
STEPS, GUIDANCE = 15, 4.0
SEEDS = HELD_OUT + 4_000_000  # clear of all other held-out pictures
JUDGE = Config(
    examples=1500,
    steps=160,
    batch=32,
    learning_rate=5e-4,
    warmup=10,
    ema_decay=0.95,
    save_every=40,
    threads=1,
    model={},
    options={"floobles": 500},
)


def wider_judge() -> Judge:
    """The bundled judge with one more subject, of which it knows nothing yet."""
    judge = load_judge()
    old = judge.heads["subject"]
    new = nn.Linear(old.in_features, CLASS + 1)
    with torch.no_grad():
        new.weight.copy_(torch.cat([old.weight, torch.zeros_like(old.weight[:1])]))
        new.bias.copy_(torch.cat([old.bias, old.bias.min()[None]]))
    judge.heads["subject"] = new
    return judge


def flooble_classes(seen: list[Flooble]) -> dict[str, Tensor]:
    """Pictures of floobles as class numbers, as `scene_classes` gives them for scenes."""
    fixed = {"subject": CLASS, "color": UNNAMED}
    fixed |= {name: CLASSES[name].index(word) for name, word in PLAIN.items()}
    classes = {name: torch.full((len(seen),), number) for name, number in fixed.items()}
    for name in ("place", "time"):
        classes[name] = torch.tensor([CLASSES[name].index(getattr(s, name)) for s in seen])
    return classes


PLAIN = {"style": "photo", "quality": "plain"}


def arrays(seen: list[Flooble]) -> np.ndarray:
    """Their pictures, (N, 128, 128, 3) uint8."""
    return np.stack([np.asarray(s.picture) for s in seen])


def train_wider_judge(config: Config = JUDGE, build: Path = BUILD) -> Judge:
    """Train the judge on the world and on floobles, go on training it, or find it trained."""
    world = world_pictures(build, config.examples - config.options["floobles"])
    seen = [flooble(seed) for seed in range(config.options["floobles"])]
    pictures = np.concatenate([world.pictures, arrays(seen)])
    known, new = scene_classes(world.scenes), flooble_classes(seen)
    classes = {name: torch.cat([known[name], new[name]]) for name in CLASSES}
    folder = run_folder(build, "judge", asdict(config))
    loss, device = judge_loss(pictures, classes), torch.device("cpu")
    return fit(wider_judge(), loss, config, folder, device=device).eval()


def fitness(judge: Judge, build: Path = BUILD, count: int = 300) -> dict[str, float]:
    """How often the judge is right on held-out renders: of floobles, and of the world's things."""
    seen = [flooble(HELD_OUT + number) for number in range(count)]
    world = world_pictures(build, count, first=HELD_OUT)
    truth = scene_classes(world.scenes)["subject"]
    return {
        "floobles": share(judge.classes(arrays(seen))["subject"] == CLASS),
        "world": share(judge.classes(world.pictures)["subject"] == truth),
    }


def share(hits: Tensor) -> float:
    """The share of True."""
    return float(hits.float().mean())


def drawn(pipe, prompts: list[str]) -> np.ndarray:
    """A picture for each prompt, (N, 128, 128, 3) uint8; each batch from a seed of its own."""
    pictures = []
    for first in range(0, len(prompts), BATCH):
        z = pipeline.text_to_image(
            pipe,
            prompts[first : first + BATCH],
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(first),
        )
        pictures += pipeline.decode(pipe, z)
    return np.stack(pictures)


def shares(judge: Judge, pipe, count: int) -> dict[str, float]:
    """Of `count` pictures each: floobles where a flooble was asked for, and its place; and the
    right thing where one of the world was asked for."""
    asked = [flooble(SEEDS + number) for number in range(count)]
    seen = judge.classes(drawn(pipe, [one.caption for one in asked]))
    truth = flooble_classes(asked)
    others = held_out_prompts(count)
    theirs = judge.classes(drawn(pipe, [one.caption for one in others]))["subject"]
    wanted = scene_classes([asdict(one.scene) for one in others])["subject"]
    return {
        "flooble": share(seen["subject"] == CLASS),
        "place": share(seen["place"] == truth["place"]),
        "others": share(theirs == wanted),
    }


def evaluate_flooble(count: int = PICTURES) -> dict:
    """Measure the pocket model before, with the rows alone, and with the LoRA beside them.

    Raises:
        RuntimeError: the judge is not fit to judge.
    """
    judge = train_wider_judge()
    right = fitness(judge)
    if min(right.values()) < FLOOR:
        raise RuntimeError(f"the judge is right on held-out renders in {right}: {FLOOR} is needed.")
    pipe = load("pocket")
    pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)
    report = {"pictures": count, "judge": right, "before": shares(judge, pipe, count)}
    for name, config in {"rows alone": WORD_ALONE, "rows and LoRA": WORD}.items():
        folder, _ = train_word(pipe, config, home("10_training"))
        report[name] = shares(judge, with_word(pipe, folder), count)
    return report


def print_report(report: dict) -> None:
    """The figures as a table."""
    names = ("flooble", "place", "others")
    title = f"Share of {report['pictures']} pictures with what was asked for"
    table = Table("model", *names, title=title)
    for row in ("before", "rows alone", "rows and LoRA"):
        table.add_row(row, *(f"{report[row][name]:.3f}" for name in names))
    Console(width=100).print(table)


if __name__ == "__main__":
    torch.set_num_threads(POCKET_THREADS)
    figures = evaluate_flooble()
    write_json(REPORT, figures)
    print_report(figures)
