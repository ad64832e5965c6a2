"""The course on the command line.

    python -m course_utils draw "a wave breaking" --seed 3 -o wave.png
    course-utils draw "a wave breaking"    # the same, where the course is installed

A mistake ends with one sentence on the error stream and exit status 2.
"""

import argparse
import gc
import sys
from pathlib import Path

from course_utils.drawing import (
    GUIDANCE,
    SCHEDULER,
    SCHEDULERS,
    SETTINGS_WHY,
    STEPS,
    check_options,
    check_output,
    check_words,
    draw,
    parse_size,
    unknown_words,
)


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one sentence and exit status 2, without the usage."""

    def error(self, message: str) -> None:
        self.exit(2, f"{self.prog}: {message}\n")


def make_parser() -> Parser:
    """All commands and their options."""
    parser = Parser(prog="course_utils", description="Stable Diffusion, dissected.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("draw", help="draw a picture from a prompt", epilog=SETTINGS_WHY)
    command.add_argument("prompt", help="what to draw, in English")
    command.add_argument("--negative", default="", help="what the picture should not show")
    command.add_argument("--steps", type=int, default=STEPS, help=f"denoising steps ({STEPS})")
    scale = f"guidance scale ({GUIDANCE:g})"
    command.add_argument("--guidance", type=float, default=GUIDANCE, help=scale)
    command.add_argument("--seed", type=int, default=0, help="another seed, another picture (0)")
    known = f"{', '.join(SCHEDULERS)} ({SCHEDULER})"
    command.add_argument("--scheduler", default=SCHEDULER, help=known)
    command.add_argument("--size", help="WxH or one number, in pixels (the model's own)")
    command.add_argument("--model", default="pocket", help="a model's name or folder (pocket)")
    command.add_argument("-o", "--output", type=Path, default=Path("out.png"), help="a .png file")
    command.set_defaults(run=run_draw, parser=command)
    return parser


def run_draw(args: argparse.Namespace) -> None:
    """Check, load, draw, save. What needs no model is checked before the seconds it takes."""
    options = {name: getattr(args, name) for name in ("steps", "guidance", "seed", "scheduler")}
    check_options(args.prompt, **options)
    size = parse_size(args.size) if args.size else None
    check_output(args.output)
    from course_utils.models import load

    pipe = load(args.model)
    check_words(pipe, args.prompt)
    if strange := unknown_words(pipe, args.prompt):
        print(f"{args.parser.prog}: never seen in training: {', '.join(strange)}", file=sys.stderr)
    draw(pipe, args.prompt, args.negative, size=size, **options).save(args.output)


def main(argv: list[str] | None = None) -> None:
    """Run one command; a mistake ends with one sentence and exit status 2.

    Args:
        argv: the command's words; those of this process, which then ends soon, where left out.
    """
    if argv is None:
        hurry()
    args = make_parser().parse_args(argv)
    try:
        args.run(args)
    except (ValueError, TypeError, OSError) as error:
        args.parser.error(str(error))


def hurry() -> None:
    """Spare a process that draws one picture and ends some of its start-up.

    Importing torch and diffusers makes millions of objects and no garbage. scipy takes half a
    second, and both libraries do without it where it is absent; only LMS integrates with it.
    """
    gc.disable()
    if not any("lms" in argument for argument in sys.argv):
        sys.modules["scipy"] = None


if __name__ == "__main__":
    main()
