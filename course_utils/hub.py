"""How weights come here: from a hub, once, into its ordinary cache, and whole or not at all.

Where a model lies whole in the cache it is read from there and no network is asked. Else the
files that one task needs, safetensors and text, are fetched by huggingface_hub (or by modelscope)
and compared with the checksums the hub tells. They are compared again at every load, so that no
half or damaged file is ever used: this costs one to five seconds for each gigabyte.

| variable, set before Python starts | effect |
|---|---|
| HF_HOME, HF_HUB_CACHE | another folder for the cache: on a larger disk, or shared by a class |
| HF_HUB_OFFLINE=1 | never ask the network |
| HF_ENDPOINT | another address of the hub, such as a mirror of it where the hub is blocked |
| HF_TOKEN | for models that ask for a login |

A class downloads once, shares the folder read-only, and sets HF_HUB_CACHE to it.
"""

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import NamedTuple

from course_utils.errors import ModelError, first_line

NETWORKS = ("unet", "vae", "text_encoder", "depth_estimator")  # the parts that have weights
FOREIGN = ("transformer", "text_encoder_2", "prior")  # parts of other kinds of model
STEMS = ("diffusion_pytorch_model", "model")  # of weight files, in diffusers and transformers
WEIGHTS = re.compile(
    rf"(?:{'|'.join(STEMS)})(?P<variant>\.fp16)?(?:-\d{{5}}-of-(?P<of>\d{{5}}))?\.safetensors"
)
TEXTS = ("json", "txt")
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
PAUSES = (1, 3)  # seconds before another try, where the network or the hub failed
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
NETWORK_ADVICE = (
    "Check the network and try again: files that arrived whole are kept. Where the hub is blocked, "
    "set HF_ENDPOINT to a mirror of it before Python starts, or load 'modelscope:owner/name', or "
    "the path of a folder that someone copied for you. load('pocket') needs no download."
)
REFUSAL_ADVICE = (
    "Load another hub id, or the path of a local copy. If the model's page asks for a login, "
    "accept its terms there and run `hf auth login`. load('pocket') needs no download."
)
OFFLINE_ADVICE = (
    "Unset HF_HUB_OFFLINE once, with a network, to download it; or set HF_HUB_CACHE to a cache "
    "that has it, or load the path of a local copy. load('pocket') needs no download."
)


class Refused(ModelError):
    """The hub answers, and does not give this model."""


class Unreachable(ModelError):
    """The hub does not answer, or broke off."""


class File(NamedTuple):
    """What is told of a file.

    Attributes:
        size: in bytes.
        checksum: its SHA-256, or SHA-1 as git has it, in hexadecimal; None where nobody tells.
    """

    size: int
    checksum: str | None


class Copy(NamedTuple):
    """A model's files on this machine.

    Attributes:
        source: the hub id it came from, or the folder.
        folder: in diffusers' layout.
        variant: "fp16" where its weights are those of half precision, else None.
    """

    source: str
    folder: Path
    variant: str | None


def fetch(
    ids: Sequence[str],
    parts: Iterable[str],
    half: bool = False,
    announce: Callable[[str, Mapping[str, int], str | None], None] | None = None,
) -> Copy:
    """The first of several hub ids that can be had: from the cache, else from the network.

    Args:
        ids: as "owner/name", in the order to try them.
        parts: those that will be used, such as "unet", "tokenizer".
        half: prefer weights in half precision, where there are both.
        announce: called before a download with the id, the bytes of each network, the variant.
    Raises:
        Refused, Unreachable: says what happened to each id, and what to try.
        ModelError: the disk is full, or may not be written.
    """
    from huggingface_hub import constants

    absent = []
    for hub_id in ids:
        check_id(hub_id)
        try:
            return cached_copy(hub_id, parts, half)
        except ModelError as error:
            absent.append(str(error))
    if constants.HF_HUB_OFFLINE:
        raise Unreachable(f"HF_HUB_OFFLINE is set, and {'; '.join(absent)}. {OFFLINE_ADVICE}")
    return first_download(ids, parts, half, announce)


def check_id(hub_id: str) -> None:
    """Refuse what cannot be a hub id."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(hub_id)
    except HFValidationError as error:
        raise Refused(f"{hub_id!r} is no hub id: {first_line(error)} {REFUSAL_ADVICE}") from error


def first_download(ids, parts, half, announce) -> Copy:
    """The first of several hub ids that the network gives; as `fetch`."""
    problems = []
    for hub_id in ids:
        try:
            return download_copy(hub_id, parts, half, announce)
        except (Refused, Unreachable) as problem:
            problems.append(problem)
    reasons = f"Cannot download: {'; '.join(map(str, problems))}."
    if any(isinstance(problem, Unreachable) for problem in problems):
        raise Unreachable(f"{reasons} {NETWORK_ADVICE}") from problems[-1]
    raise Refused(f"{reasons} {REFUSAL_ADVICE}") from problems[-1]


def cached_copy(hub_id: str, parts: Iterable[str], half: bool = False) -> Copy:
    """A model that lies whole in the hub's cache; arguments as in `fetch`.

    Raises:
        ModelError: says what is missing or damaged there.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    index = try_to_load_from_cache(hub_id, "model_index.json")
    if not isinstance(index, str):
        raise ModelError(f"{hub_id} is not in the cache, {constants.HF_HUB_CACHE}")
    folder = Path(index).parent
    told = {
        name: file
        for name, file in list_cached_files(hub_id, folder).items()
        if not name.endswith(".safetensors") or (folder / name).exists()
    }
    names, variant = select_files(hub_id, told, parts, half)
    wrong = wrong_files(folder, {name: told[name] for name in names})
    if wrong:
        how = "damaged (wrong checksum)" if (folder / wrong[0]).exists() else "missing"
        raise ModelError(f"{wrong[0]} of {hub_id} is {how} in the cache")
    return Copy(hub_id, folder, variant)


def download_copy(hub_id, parts, half, announce) -> Copy:
    """A model from the network, into the cache; as `fetch`, for one id."""
    told = patiently(lambda: list_files(hub_id), hub_id)
    names, variant = select_files(hub_id, told, parts, half)
    if announce is not None:
        announce(hub_id, network_sizes(names, told), variant)
    check_space(hub_id, {name: told[name].size for name in names})
    folder = patiently(lambda: download(hub_id, names), hub_id)
    wrong = wrong_files(folder, {name: told[name] for name in names})
    if wrong:  # once more, whatever the cache holds
        patiently(lambda: download(hub_id, wrong, force_download=True), hub_id)
        wrong = wrong_files(folder, {name: told[name] for name in wrong})
    if wrong:
        discard(folder, wrong)
        raise Refused(f"{wrong[0]} of {hub_id} arrived damaged twice (wrong checksum)")
    return Copy(hub_id, folder, variant)


def list_files(hub_id: str) -> dict[str, File]:
    """What the hub tells of a model's files, by their path in it."""
    from huggingface_hub import HfApi, constants

    wait = constants.HF_HUB_ETAG_TIMEOUT
    try:
        info = HfApi().model_info(hub_id, files_metadata=True, timeout=wait)
        return {file.rfilename: told_file(file) for file in info.siblings}
    except (JSONDecodeError, KeyError, TypeError) as error:
        raise Unreachable(f"{endpoint()} does not answer as a hub does") from error


def list_cached_files(hub_id: str, folder: Path) -> dict[str, File]:
    """What the hub told of a model's files when it was downloaded; else what lies in the cache."""
    try:
        from huggingface_hub import get_cached_repo_tree
        from huggingface_hub.errors import CachedRepoTreeNotFoundError
    except ImportError:  # a version that does not keep these lists yet
        return list_folder(folder)
    try:
        return {file.path: told_file(file) for file in get_cached_repo_tree(hub_id)}
    except CachedRepoTreeNotFoundError:
        return list_folder(folder)


def list_folder(folder: Path) -> dict[str, File]:
    """What lies in one of the cache's folders, with the checksums that its links tell."""
    return {
        file.relative_to(folder).as_posix(): File(file.stat().st_size, linked_checksum(file))
        for file in folder.rglob("*")
        if file.is_file()
    }


def told_file(file) -> File:
    """Size and checksum of a file in one of the hub's lists; large files are kept elsewhere."""
    return File(file.lfs.size, file.lfs.sha256) if file.lfs else File(file.size, file.blob_id)


def select_files(
    source: str, names: Iterable[str], parts: Iterable[str], half: bool
) -> tuple[list[str], str | None]:
    """The files that are needed, and which variant of the weights: no pickle, no code.

    Raises:
        Refused: it is no Stable Diffusion 1 or 2, or has no safetensors.
    """
    names, parts = list(names), list(parts)
    folders = {name.split("/")[0] for name in names if "/" in name}
    foreign = sorted(folders & set(FOREIGN))
    if foreign:
        raise Refused(f"{source} is no Stable Diffusion 1 or 2: it has a {foreign[0]}")
    missing = [part for part in parts if part not in folders]
    if missing or "model_index.json" not in names:
        raise Refused(f"{source} lacks {', '.join(missing or ['model_index.json'])}")
    networks = [part for part in parts if part in NETWORKS]
    variants = whole_variants(names, networks)
    if not variants:
        raise Refused(f"{source} {missing_weights(names, networks)}")
    variant = choose_variant(variants, half)
    texts = [name for name in names if is_text(name, [*parts, "feature_extractor"])]
    return texts + weights(names, networks, variant), variant


def is_text(name: str, parts: Iterable[str]) -> bool:
    """Whether a file is the model's index, or a text file of one of the parts."""
    path = Path(name)
    return name == "model_index.json" or (
        path.parent.as_posix() in parts and path.suffix[1:] in TEXTS
    )


def weights(names: Iterable[str], networks: Iterable[str], variant: str | None) -> list[str]:
    """The safetensors of one variant."""
    found = []
    for name in names:
        part, _, file = name.partition("/")
        match = WEIGHTS.fullmatch(file)
        if part in networks and match and (match["variant"] == ".fp16") == (variant == "fp16"):
            found.append(name)
    return found


def whole_variants(names: Iterable[str], networks: Iterable[str]) -> list[str | None]:
    """The variants, None or "fp16", in which every network has all its safetensors."""
    names = list(names)
    return [
        variant
        for variant in (None, "fp16")
        if all(is_complete(weights(names, [part], variant)) for part in networks)
    ]


def is_complete(names: Sequence[str]) -> bool:
    """Whether the weights of a network are all there: one file, or each of several."""
    counts = [WEIGHTS.fullmatch(Path(name).name)["of"] for name in names]
    return bool(names) and len(names) >= max(int(count or 1) for count in counts)


def choose_variant(variants: Sequence[str | None], half: bool) -> str | None:
    """The wanted variant of the weights, or the other where that is all there is."""
    return "fp16" if "fp16" in variants and (half or None not in variants) else None


def missing_weights(names: Iterable[str], networks: Iterable[str]) -> str:
    """What to say of a model without safetensors."""
    for part in networks:
        files = [name for name in names if name.startswith(f"{part}/")]
        if any(name.endswith(PICKLES) for name in files) and not weights(files, [part], None):
            return f"has its {part} in pickle files only, which can run any code when read"
    lacking = [part for part in networks if not whole_variants(names, [part])]
    return f"lacks the safetensors of {', '.join(lacking or networks)}"


def network_sizes(names: Iterable[str], told: Mapping[str, File]) -> dict[str, int]:
    """Bytes of the weights of each network."""
    sizes: dict[str, int] = {}
    for name in names:
        if name.endswith(".safetensors"):
            part = name.split("/")[0]
            sizes[part] = sizes.get(part, 0) + told[name].size
    return sizes


def download(hub_id: str, names: Sequence[str], force_download: bool = False) -> Path:
    """Files of a model into the hub's cache, by huggingface_hub, with its progress bars.

    A connection that breaks is taken up where it stopped. Of a process that is stopped, the files
    that were whole are kept.
    """
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(hub_id, allow_patterns=list(names), force_download=force_download)
    )


def patiently(action: Callable, hub_id: str):
    """The result of an action; tried again after a pause where the network or the hub failed.

    Raises:
        ModelError: every other failure, and the last one, in a sentence.
    """
    from huggingface_hub.errors import HTTPError  # of the client that this version uses

    for pause in (*PAUSES, None):
        try:
            return action()
        except ModelError:
            raise
        except (OSError, ValueError, RuntimeError, HTTPError) as error:
            problem = explain(error, hub_id)
            if pause is None or not isinstance(problem, Unreachable):
                raise problem from error
            time.sleep(pause)


def explain(error: Exception, hub_id: str) -> ModelError:
    """What an error of the hub's library means, in a sentence without its full stop."""
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        return explain(error.__cause__, hub_id)
    if isinstance(error, OSError) and error.errno in FULL:
        return ModelError(f"Cannot download {hub_id}: {full_disk()}")
    if isinstance(error, OSError) and error.errno in READ_ONLY:
        return ModelError(f"Cannot download {hub_id}: {read_only_cache()}")
    if isinstance(error, GatedRepoError):
        return Refused(f"{hub_id} asks for a login and for its terms to be accepted")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403, 404):
        return Refused(f"{hub_id} is gone from {endpoint()}, or asks for a login ({status})")
    if status is not None:
        return Unreachable(f"{endpoint()} answers {status} when asked for {hub_id}")
    return Unreachable(
        f"{endpoint()} gives no whole answer for {hub_id} ({first_line(error).rstrip('.')})"
    )


def endpoint() -> str:
    """The hub's address, and that it was changed where it was."""
    from huggingface_hub import constants

    changed = " (from HF_ENDPOINT)" if "HF_ENDPOINT" in os.environ else ""
    return constants.ENDPOINT + changed


def check_space(hub_id: str, sizes: Mapping[str, int]) -> None:
    """Refuse a download that the disk of the cache cannot hold.

    Raises:
        ModelError: says how much is needed, and how to use another disk.
    """
    from huggingface_hub import try_to_load_from_cache

    missing = [n for n in sizes if not isinstance(try_to_load_from_cache(hub_id, n), str)]
    needs = sum(sizes[name] for name in missing)
    if needs > free_space():
        raise ModelError(f"Cannot download {hub_id}: {full_disk(needs)}")


def free_space() -> int:
    """Bytes free on the disk of the hub's cache."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def full_disk(needs: int | None = None) -> str:
    """What to say of a disk, or a quota, that is full."""
    from huggingface_hub import constants

    wants = f"it takes {gigabytes(needs)}, " if needs else ""
    return (
        f"{wants}{gigabytes(free_space())} are free in {constants.HF_HUB_CACHE}, or a quota or a "
        "limit of file sizes holds there. Free some space (`hf cache ls` shows what lies in the "
        "cache), or set HF_HUB_CACHE to a folder on a larger disk before Python starts."
    )


def read_only_cache() -> str:
    """What to say of a cache that lacks something and cannot be written."""
    from huggingface_hub import constants

    return (
        f"{constants.HF_HUB_CACHE} lacks some of its files and cannot be written. Ask its owner to "
        "complete it, or set HF_HUB_CACHE to a folder of your own before Python starts."
    )


def gigabytes(size: int) -> str:
    """A number of bytes for people: "2.58 GB", "13.4 MB"."""
    unit, name = (10**9, "GB") if size >= 10**9 else (10**6, "MB")
    return f"{size / unit:.3g} {name}"


def wrong_files(folder: Path, told: Mapping[str, File]) -> list[str]:
    """The names of those files that are missing, or differ from what is told of them."""
    return [name for name, file in told.items() if not is_whole(folder / name, file)]


def is_whole(path: Path, told: File) -> bool:
    """Whether a file has the size and the checksum that are told of it."""
    from huggingface_hub.utils.sha import git_hash, sha_fileobj

    if not path.is_file() or path.stat().st_size != told.size:
        return False
    if told.checksum is None:
        return True
    if len(told.checksum) == 40:  # small files, which git keeps itself
        return git_hash(path.read_bytes()) == told.checksum
    with path.open("rb") as stream:
        return sha_fileobj(stream).hex() == told.checksum


def linked_checksum(file: Path) -> str | None:
    """The checksum of a file in the cache: it is a link to a file of that name."""
    name = Path(os.readlink(file)).name if file.is_symlink() else ""
    return name if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) else None


def discard(folder: Path, names: Iterable[str]) -> None:
    """Remove damaged files from the cache: the links, and what they point to."""
    for name in names:
        file = folder / name
        if file.exists():
            file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)


def fetch_modelscope(model_id: str, parts: Iterable[str], half: bool = False) -> Copy:
    """A model from ModelScope, by its own library, into its own cache.

    That library shows progress, resumes, and compares checksums.

    Args:
        model_id: as "owner/name" there.
        parts, half: as in `fetch`.
    Raises:
        ModelError: the library is not installed, or the model cannot be had.
    """
    try:
        from modelscope import snapshot_download
    except ImportError as error:
        raise ModelError(
            f"modelscope:{model_id} needs the library of ModelScope: "
            "`pip install 'course-utils[modelscope]'`, or `pip install modelscope`."
        ) from error
    source, parts = f"modelscope:{model_id}", list(parts)
    for variant in ("fp16", None) if half else (None, "fp16"):
        try:
            folder = Path(snapshot_download(model_id, allow_patterns=patterns(parts, variant)))
            names = [f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()]
            _, found = select_files(source, names, parts, half)
            return Copy(source, folder, found)
        except Refused as error:
            problem = error
        except Exception as error:  # of many kinds, none of which that library promises
            raise ModelError(
                f"Cannot download {source}: {first_line(error)} Check the id and the network, "
                "or load the path of a local copy. load('pocket') needs no download."
            ) from error
    raise ModelError(f"{problem}. {REFUSAL_ADVICE}")


def patterns(parts: Sequence[str], variant: str | None) -> list[str]:
    """The files that are needed, as patterns."""
    ending = ".fp16" if variant else ""
    texts = [f"{part}/*.{kind}" for part in (*parts, "feature_extractor") for kind in TEXTS]
    networks = [part for part in parts if part in NETWORKS]
    return [
        "model_index.json",
        *texts,
        *[f"{part}/{stem}{ending}.safetensors" for part in networks for stem in STEMS],
    ]
