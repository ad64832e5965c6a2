"""Measure a model of the world in three dimensions, print Markdown tables, and write JSON.

python -m course_utils.evaluation [what ...] --model FOLDER --count N
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from transformers import CLIPModel

from course_utils.errors import ModelError, check_choice
from course_utils.evaluation.attributes import attributes
from course_utils.evaluation.distances import diversity, frechet_tables
from course_utils.evaluation.matching import clip_score
from course_utils.evaluation.material import WORLD, Material
from course_utils.evaluation.spread import word_spread
from course_utils.evaluation.stability import stability
from course_utils.evaluation.tables import Tables, markdown
from course_utils.evaluation.texture import texture
from course_utils.evaluation.two_things import two_things
from course_utils.models import POCKET, POCKET_THREADS
from course_utils.training.judge import Judge, load_judge
from course_utils.training.report import write_json

BUILD = Path("build/train") / WORLD
REPORT = Path("build/evaluation.json")
COUNT, QUICK = 240, 2
MEASURES: dict[str, Callable[[Material], Tables]] = {
    "attributes": attributes,
    "two_things": two_things,
    "clip_score": clip_score,
    "frechet": frechet_tables,
    "diversity": diversity,
    "stability": stability,
    "texture": texture,
    "word_spread": word_spread,
}


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line.

    Args:
        given: its words; those of the process where left out.
    Raises:
        SystemExit: a measure or a count that there is not.
    """
    parser = argparse.ArgumentParser("course_utils.evaluation", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"all where left out: {', '.join(MEASURES)}")
    parser.add_argument("--model", type=Path, default=POCKET, help="folder of a model")
    parser.add_argument("--count", type=int, help=f"prompts, {COUNT} where left out, 2 or more")
    parser.add_argument("--quick", action="store_true", help="see in a minute that all works")
    parser.add_argument("--judge", type=Path, help="weights of the judge")
    parser.add_argument("--clip", type=Path, default=BUILD / "clip" / "clip", help="folder of CLIP")
    parser.add_argument("--renders", type=Path, default=BUILD, help="where renders are kept")
    parser.add_argument("--json", type=Path, default=REPORT, help="file to write")
    options = parser.parse_args(given)
    options.what = options.what or list(MEASURES)
    options.count = options.count or (QUICK if options.quick else COUNT)
    try:
        for name in options.what:
            check_choice("measure", name, MEASURES)
    except ValueError as error:
        parser.error(str(error))
    if options.count < 2:
        parser.error(f"--count must be 2 or more, not {options.count}: two pictures make a spread.")
    return options


def find_judge(model: Path, file: Path | None = None, quick: bool = False) -> Judge:
    """The judge of the world in three dimensions.

    Args:
        model: folder of the model; a judge in it is taken before one that was trained here.
        file: its weights, if they are elsewhere.
        quick: do with an untrained one where there is none.
    Raises:
        ModelError: there is no judge of this world.
    """
    places = (
        [file]
        if file
        else [folder / "judge" / "model.safetensors" for folder in (model, BUILD / "judge")]
    )
    for place in places:
        if place.is_file() and judges_this_world(place):
            return load_judge(place, WORLD)
    if not quick:
        raise ModelError(
            f"No judge of {WORLD} in {' or '.join(map(str, places))}. Train one: "
            f"python -m course_utils.training.judge {WORLD}/judge"
        )
    print("The judge is untrained: all that it says means nothing.")
    return Judge(WORLD).eval()


def judges_this_world(file: Path) -> bool:
    """Whether weights are those of a judge of the world in three dimensions."""
    with safe_open(file, "pt") as weights:
        return "heads.relation.weight" in weights.keys()  # noqa: SIM118


def evaluate(material: Material, what: list[str], report: Path | None = None) -> dict[str, Tables]:
    """Measure, print each table as soon as it is known, and write what is known so far.

    Args:
        material: what to measure on.
        what: keys of MEASURES.
        report: the JSON file, or None.
    """
    found = {}
    for name in what:
        found[name] = MEASURES[name](material)
        print(f"## {name}\n\n{markdown(found[name])}", flush=True)
        if report:
            write_json(report, {"count": material.count, **found})
    return found


def main(given: list[str] | None = None) -> None:
    """The program; arguments as on the command line."""
    options = read_arguments(given)
    if "clip_score" in options.what and not options.clip.is_dir():
        print(f"No CLIP in {options.clip}: the CLIP score is left out.")
        options.what.remove("clip_score")
    torch.set_num_threads(POCKET_THREADS)
    evaluate(load_material(options), options.what, options.json)


def load_material(options: argparse.Namespace) -> Material:
    """The model of the command line with its judge, and CLIP where there is one."""
    pipe = StableDiffusionPipeline.from_pretrained(options.model, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    clip = CLIPModel.from_pretrained(options.clip).eval() if options.clip.is_dir() else None
    judge = find_judge(options.model, options.judge, options.quick)
    return Material(pipe, judge, options.count, options.renders, clip)


if __name__ == "__main__":
    try:
        main()
    except ModelError as error:
        sys.exit(str(error))
