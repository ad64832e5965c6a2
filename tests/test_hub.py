"""Downloads, from a stand-in hub on this machine: each ends whole, or with one clear sentence.

huggingface_hub reads its environment when it is imported: most cases set what it read, some
run in processes of their own, as a reader's would. Nothing here leaves 127.0.0.1.
"""

import ctypes
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants
from huggingface_hub.utils.sha import git_hash

from course_utils import hub as library
from course_utils.hub import ModelError, list_folder, select_files
from course_utils.models import HUB_IDS, SHARED, load

ROOT = Path(__file__).parents[1]
FIRST, *_ = IDS = HUB_IDS["sd-2.1"]["unet"][:2]
SECOND = IDS[1]
PARTS = [*SHARED, "unet"]
UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
HALF = "unet/diffusion_pytorch_model.fp16.safetensors"
POISON = {  # what lies beside the weights on the hub, and must never be asked for
    "unet/diffusion_pytorch_model.bin": b"cos\nsystem\n(S'touch poisoned'\ntR.",
    "unet/diffusion_pytorch_model.non_ema.safetensors": b"twice the size for nothing",
    "unet/poison.py": b"raise SystemExit('poisoned')",
    "safety_checker/model.safetensors": b"1.2 GB that the course does not use",
    "v2-1_512-ema-pruned.ckpt": b"cos\nsystem\n(S'touch poisoned'\ntR.",
    "README.md": b"# A model",
}
CLIENT = """
import json, sys
from course_utils import hub
hub.PAUSES = (0.05, 0.05)
ids, parts, half = json.loads(sys.argv[1])
try:
    copy = hub.fetch(ids, parts, half)
    print(json.dumps([copy.source, str(copy.folder), copy.variant]))
except hub.ModelError as error:
    print(json.dumps(str(error)))
"""


class Fault(NamedTuple):
    """What goes wrong with some requests.

    Attributes:
        where: a regular expression, searched in "METHOD path".
        what: "cut", "stall", "damage", or (status, x-error-code).
        times: how often, before all is well.
    """

    where: str
    what: str | tuple[int, str | None]
    times: float = float("inf")


class StandIn(ThreadingHTTPServer):
    """A hub with a few models, which can be told to fail."""

    daemon_threads = True

    def __init__(self, models: dict[str, dict[str, bytes]]):
        super().__init__(("127.0.0.1", 0), Answer)
        self.models = models
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.counts: Counter = Counter()
        self.lock = threading.Lock()
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fault(self, request: str) -> str | tuple | None:
        """What goes wrong with a request, if anything; counts it."""
        with self.lock:
            self.asked.append(request)
            for fault in self.faults:
                if re.search(fault.where, request) and self.counts[fault] < fault.times:
                    self.counts[fault] += 1
                    return fault.what
        return None


class Answer(BaseHTTPRequestHandler):
    """The few addresses of the real hub that a download uses, with its headers."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        path = unquote(urlsplit(self.path).path)
        fault = self.server.fault(f"{self.command} {path}")
        if isinstance(fault, tuple):
            return self.send_error_of_hub(*fault)
        listed = re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+|/tree/[^/]+)?", path)
        name = listed[1] if listed else "/".join(path.split("/")[1:3])
        if name not in self.server.models:
            return self.send_error_of_hub(401, "RepoNotFound")  # as the real one, without a login
        files = self.server.models[name]
        if listed:
            return self.send_listing(name, files, tree="/tree/" in path)
        self.send_file(files, path.split("/", 5)[5], fault)

    def send_listing(self, name: str, files: dict[str, bytes], tree: bool):
        entries = [entry(path, data, tree) for path, data in files.items()]
        listing = {"id": name, "sha": commit(files), "siblings": entries}
        body = json.dumps(entries if tree else listing).encode()
        self.send(200, body, {"Content-Type": "application/json"})

    def send_file(self, files: dict[str, bytes], path: str, fault: str | None):
        if path not in files:
            return self.send_error_of_hub(404, "EntryNotFound")
        data = files[path]
        headers = {"ETag": f'"{checksum(path, data)}"', "X-Repo-Commit": commit(files)}
        if is_large(path):
            headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(data))}
        status, start = 200, 0
        if asked := self.headers.get("Range"):
            self.server.ranges.append(asked)
            status, start = 206, int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if fault == "damage":
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.send(status, data[start:], headers, fault)

    def send_error_of_hub(self, status: int, code: str | None):
        headers = {"X-Error-Message": "no"} | ({"X-Error-Code": code} if code else {})
        self.send(status, b"{}", headers)

    def send(self, status: int, body: bytes, headers: dict[str, str], fault: str | None = None):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        stops = fault in ("cut", "stall")
        if self.command == "GET":
            self.wfile.write(body[: len(body) * 2 // 3] if stops else body)
        if fault == "stall":
            self.server.over.wait(60)
        self.close_connection = stops


def is_large(path: str) -> bool:
    return path.endswith((".safetensors", ".bin", ".ckpt"))


def checksum(path: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if is_large(path) else git_hash(data)


def commit(files: dict[str, bytes]) -> str:
    return hashlib.sha1(repr(sorted(files)).encode()).hexdigest()


def entry(path: str, data: bytes, tree: bool) -> dict:
    """One file, as /tree lists it, or as the model's own page does."""
    sha256, size = hashlib.sha256(data).hexdigest(), len(data)
    large = {"size": size, "pointerSize": 134, "oid" if tree else "sha256": sha256}
    named = {"type": "file", "path": path, "oid": git_hash(data)}
    found = {"rfilename": path, "blobId": git_hash(data)}
    return (named if tree else found) | {"size": size} | ({"lfs": large} if is_large(path) else {})


@pytest.fixture(scope="module")
def files(tiny_folder) -> dict[str, bytes]:
    """A model as the hub has it: the tiny one, with pickles and code beside its weights."""
    names = [f.relative_to(tiny_folder).as_posix() for f in tiny_folder.rglob("*") if f.is_file()]
    wanted = [n for n in names if n.split("/")[0] in PARTS or n == "model_index.json"]
    return {name: (tiny_folder / name).read_bytes() for name in wanted} | POISON


@pytest.fixture
def stand_in(files):
    """A hub that has the same model under two ids."""
    server = StandIn({name: dict(files) for name in IDS})
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(tmp_path, stand_in, monkeypatch) -> Path:
    """An empty cache, which this process uses, and no other hub than the stand-in."""
    monkeypatch.setattr(library, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setenv("HF_ENDPOINT", "as below")
    use(stand_in.address, monkeypatch)
    return tmp_path / "cache"


def use(address: str, monkeypatch):
    """Make this process take an address for that of the hub."""
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def fetch(half=False):
    """(source, folder, variant), or the one sentence."""
    try:
        return library.fetch(IDS, PARTS, half)
    except ModelError as error:
        return str(error)


def environment(cache: Path, address: str, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(("HF_", "COURSE_"))}
    ours = {"HF_ENDPOINT": address, "HF_HOME": f"{cache}.home", "HF_HUB_CACHE": str(cache)}
    return kept | ours | {"NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"} | more


COMMAND = [sys.executable, "-c", CLIENT, json.dumps([IDS, PARTS, False])]


def fetch_elsewhere(cache: Path, address: str, **options):
    """As `fetch`, in a process of its own."""
    ours = {"cwd": ROOT, "env": environment(cache, address), "text": True, "timeout": 100}
    done = subprocess.run(COMMAND, capture_output=True, **ours, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_sentence(result, *words: str):
    assert isinstance(result, str), result
    assert all(word in result for word in words), result
    assert "\n" not in result and "Traceback" not in result
    assert "load('pocket')" in result or "HF_HUB_CACHE" in result  # what to try


def check_copy(folder: str | Path, files: dict[str, bytes], leave_out=()):
    """The folder holds what the task needs, byte for byte, and nothing else."""
    found = {f.relative_to(folder).as_posix(): f.read_bytes() for f in files_in(Path(folder))}
    assert found == {n: data for n, data in files.items() if n not in (*POISON, *leave_out)}


def files_in(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def check_nothing_half(cache: Path, files: dict[str, bytes]):
    """Whatever a loader could find in the cache is whole."""
    for snapshot in cache.glob("models--*/snapshots/*"):
        for file in files_in(snapshot):
            assert file.read_bytes() == files[file.relative_to(snapshot).as_posix()], file
    assert all(blob.read_bytes() in files.values() for blob in cache.glob("models--*/blobs/*"))


# the table


class Case(NamedTuple):
    """Faults, and how it must end: with the first id, the second, or these words."""

    faults: list[Fault]
    end: str | list[str]


def on(hub_id: str, what, times=float("inf"), where="GET /api/models/") -> Fault:
    return Fault(f"^{where}{hub_id}", what, times)


def everywhere(what, where: str, times=float("inf")) -> Fault:
    return Fault(where, what, times)


NOWHERE = "http://127.0.0.1:9"
API, UNETS = "GET /api/", f"GET .*/{UNET}"
CASES = {
    "all is well": Case([], FIRST),
    "the first is gone": Case([on(FIRST, (404, "RepoNotFound"))], SECOND),
    "the first is gone, says 401": Case([on(FIRST, (401, "RepoNotFound"))], SECOND),
    "the first says 401": Case([on(FIRST, (401, None))], SECOND),
    "the first is disabled": Case([on(FIRST, (403, None))], SECOND),
    "the first is gated": Case([on(FIRST, (403, "GatedRepo"), where="(GET|HEAD) /")], SECOND),
    "all are gone": Case(
        [everywhere((404, "RepoNotFound"), API)],
        [FIRST, SECOND, "is gone from http://127.0.0.1", "(404)", "hf auth login"],
    ),
    "all say 401": Case(
        [everywhere((401, None), API)],
        [FIRST, SECOND, "is gone from", "or asks for a login (401)", "hf auth login"],
    ),
    "all files say 403": Case(
        [everywhere((403, None), "HEAD .*/resolve/")],
        [FIRST, SECOND, "or asks for a login (403)", "hf auth login"],
    ),
    "all are gated": Case(
        [everywhere((401, "GatedRepo"), "/resolve/")],
        [FIRST, SECOND, "asks for a login and for its terms", "hf auth login"],
    ),
    "500, then well": Case([everywhere((500, None), API, 2)], FIRST),
    "a file answers 500, then well": Case([everywhere((500, None), UNETS, 2)], FIRST),
    "503 for ever": Case(
        [everywhere((503, None), API)],
        ["answers 503 when asked for", "(from HF_ENDPOINT)", "Check the network", "modelscope:"],
    ),
    "cut twice": Case([everywhere("cut", UNETS, 2)], FIRST),
    "silent once": Case([everywhere("stall", UNETS, 1)], FIRST),
    "damaged once": Case([everywhere("damage", UNETS, 1)], FIRST),
    "the first is damaged": Case([on(FIRST, "damage", where="GET /.*")], SECOND),
    "all are damaged": Case(
        [everywhere("damage", UNETS)],
        [f"{UNET} of {FIRST} arrived damaged twice (wrong checksum)", SECOND],
    ),
    "a small file is damaged": Case([everywhere("damage", "GET .*/unet/config.json", 1)], FIRST),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_download_ends_whole_or_with_a_sentence(case, stand_in, cache, files):
    stand_in.faults = case.faults
    result = fetch()
    if isinstance(case.end, str):
        assert result[0] == case.end and result[2] is None
        check_copy(result[1], files)
    else:
        check_sentence(result, *case.end)
    check_nothing_half(cache, files)
    never = [name for name in POISON if any(name in request for request in stand_in.asked)]
    assert never == []
    assert all(stand_in.counts[fault] for fault in case.faults)


def test_a_broken_connection_is_taken_up_where_it_stopped(stand_in, cache, files):
    stand_in.models[FIRST][UNET] = large = os.urandom(2**20) * 24  # more than one block of 10 MiB
    stand_in.faults = [everywhere("cut", UNETS, 1)]
    result = fetch()
    check_copy(result[1], files | {UNET: large})
    assert stand_in.ranges == [f"bytes={10 * 2**20}-"]


def test_a_killed_download_goes_on_with_the_files_that_are_whole(stand_in, cache, files):
    stand_in.faults = [everywhere("stall", UNETS, 1)]
    env = environment(cache, stand_in.address)
    process = subprocess.Popen(COMMAND, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
    stop = time.monotonic() + 60
    while not (stand_in.counts and list(cache.glob(f"*/snapshots/*/{VAE}"))):
        assert time.monotonic() < stop and process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    stand_in.asked.clear()
    check_copy(fetch().folder, files)
    assert not any(request.endswith(VAE) for request in stand_in.asked)


# the disk


def test_a_full_disk_is_one_sentence(stand_in, cache, files):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, 2**21))  # the tokenizer is larger

    result = fetch_elsewhere(cache, stand_in.address, preexec_fn=limit)
    check_sentence(result, f"Cannot download {FIRST}", "are free in", "larger disk")
    check_nothing_half(cache, files)
    check_copy(fetch()[1], files)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MiB; skipped where one may not be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs rights that this process has not")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_small_disk_is_seen_before_the_download(stand_in, cache, small_disk, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(small_disk / "cache"))
    check_sentence(fetch(), "it takes", "MB", "are free in", "larger disk")
    assert not any("/resolve/" in request for request in stand_in.asked)


def test_a_disk_that_fills_up_is_one_sentence(stand_in, cache, small_disk, files, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(small_disk / "cache"))
    monkeypatch.setattr(library, "check_space", lambda *_: None)  # there was space then
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # huggingface_hub sees it too
        check_sentence(fetch(), f"Cannot download {FIRST}", "are free in")
    check_nothing_half(small_disk / "cache", files)


# many readers, and no network


def test_two_processes_download_at_once(stand_in, cache, files):
    env = environment(cache, stand_in.address)
    options = {"cwd": ROOT, "env": env, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    both = [subprocess.Popen(COMMAND, **options) for _ in range(2)]
    results = [json.loads(process.communicate()[0]) for process in both]
    assert results[0] == results[1]
    check_copy(results[0][1], files)
    check_nothing_half(cache, files)


@pytest.fixture
def full_cache(stand_in, cache) -> Path:
    fetch()
    stand_in.asked.clear()
    return cache


@pytest.fixture
def offline(monkeypatch):
    """Ends what comes before it: name it last."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def snapshot(cache: Path) -> Path:
    return next(cache.glob("models--*/snapshots/*"))


def test_a_full_cache_asks_no_network(stand_in, full_cache, files, monkeypatch):
    check_copy(fetch().folder, files)
    assert stand_in.asked == []
    use(NOWHERE, monkeypatch)
    check_copy(fetch().folder, files)


def test_offline_with_a_full_cache(stand_in, full_cache, files, offline):
    check_copy(fetch().folder, files)
    assert stand_in.asked == []


@pytest.mark.parametrize("name", ["unet/config.json", UNET, "tokenizer/tokenizer.json"])
def test_offline_with_half_a_cache(stand_in, full_cache, files, name, offline):
    (snapshot(full_cache) / name).unlink()
    words = ["HF_HUB_OFFLINE is set", name.split("/")[0], FIRST, f"{SECOND} is not in the cache"]
    check_sentence(fetch(), *words)
    assert stand_in.asked == []


@pytest.mark.parametrize("part", ["unet", "tokenizer"])
def test_offline_with_half_a_cache_of_old(stand_in, full_cache, monkeypatch, part, offline):
    """Older versions of huggingface_hub keep no list of what should be there."""
    monkeypatch.setattr(library, "list_cached_files", lambda _, folder: list_folder(folder))
    shutil.rmtree(snapshot(full_cache) / part)
    check_sentence(fetch(), "HF_HUB_OFFLINE is set", f"{FIRST} lacks {part}")


def test_offline_with_no_cache(stand_in, cache, offline):
    check_sentence(fetch(), "HF_HUB_OFFLINE is set", f"{FIRST} is not in the cache", str(cache))
    assert stand_in.asked == []


def test_half_a_cache_is_completed(stand_in, full_cache, files):
    (snapshot(full_cache) / UNET).resolve().unlink()
    (snapshot(full_cache) / "tokenizer/tokenizer.json").unlink()
    check_copy(fetch().folder, files)
    assert not any(request.endswith(VAE) for request in stand_in.asked)


def test_no_network_and_no_cache(cache, monkeypatch):
    use(NOWHERE, monkeypatch)
    words = [f"{NOWHERE} (from HF_ENDPOINT) gives no whole answer", FIRST, "Check the network"]
    check_sentence(fetch(), *words)


def test_an_address_that_is_no_hub(stand_in, cache):
    stand_in.faults = [everywhere((200, None), API)]  # a page that answers everything
    check_sentence(fetch(), f"{stand_in.address} (from HF_ENDPOINT) does not answer as a hub does")


def test_a_damaged_cache_is_mended(stand_in, full_cache, files, monkeypatch):
    file = snapshot(full_cache) / UNET
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with monkeypatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        check_sentence(fetch(), f"{UNET} of {FIRST} is damaged (wrong checksum) in the cache")
    check_copy(fetch().folder, files)
    check_nothing_half(full_cache, files)


def obey_permissions():
    """Take from root the right to write wherever it likes; others never had it."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


@pytest.mark.skipif(sys.platform != "linux", reason="root's rights are taken as Linux does")
@pytest.mark.parametrize("whole", [True, False])
def test_a_class_shares_a_cache_read_only(stand_in, full_cache, files, whole):
    if not whole:
        shutil.rmtree(snapshot(full_cache) / "unet")
    folders = [path for path in [full_cache, *full_cache.rglob("*")] if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    result = fetch_elsewhere(full_cache, stand_in.address, preexec_fn=obey_permissions)
    for folder in folders:
        folder.chmod(0o755)  # so that it can be removed
    if whole:
        check_copy(result[1], files)
    else:
        check_sentence(result, "lacks some of its files and cannot be written", "of your own")


# which files


def test_half_precision_is_preferred_where_asked(stand_in, cache, files):
    halves = {n.replace(".safe", ".fp16.safe"): b"half" for n in files if n.count(".safe")}
    stand_in.models[FIRST] |= halves
    source, folder, variant = fetch(half=True)
    assert (source, variant) == (FIRST, "fp16")
    found = {file.name for file in files_in(Path(folder)) if file.suffix == ".safetensors"}
    assert found == {"model.fp16.safetensors", "diffusion_pytorch_model.fp16.safetensors"}
    assert fetch() == (source, folder, "fp16")  # better than another download


BASE = ["model_index.json", "scheduler/a.json", "tokenizer/b.txt", "tokenizer/c.py"]
WHOLE = [UNET, VAE, "text_encoder/model.safetensors"]
SHARDS = [UNET.replace(".s", f"-0000{i}-of-00002.s") for i in (1, 2)]


@pytest.mark.parametrize(
    ("names", "half", "variant", "chosen"),
    [
        (WHOLE, False, None, WHOLE),
        (WHOLE, True, None, WHOLE),
        ([*WHOLE, HALF], True, None, WHOLE),  # not whole in half precision
        ([n.replace(".s", ".fp16.s") for n in WHOLE], False, "fp16", 3),
        ([*SHARDS, *WHOLE[1:]], False, None, [*SHARDS, *WHOLE[1:]]),
    ],
)
def test_which_files_are_chosen(names, half, variant, chosen):
    found, which = select_files("a/b", [*BASE, *names, *POISON], PARTS, half)
    assert which == variant
    assert found[:3] == BASE[:3]
    assert found[3:] == (names if chosen == 3 else chosen)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([*BASE, *WHOLE, "text_encoder_2/model.safetensors"], "no Stable Diffusion 1 or 2"),
        ([*BASE, *WHOLE[:2]], "lacks text_encoder"),
        ([*BASE, *WHOLE[1:], "unet/diffusion_pytorch_model.bin"], "unet in pickle files only"),
        ([*BASE, *WHOLE[1:], "unet/config.json"], "lacks the safetensors of unet"),
        ([*BASE[1:], *WHOLE], "lacks model_index.json"),
        ([*BASE, HALF, *WHOLE[1:]], "lacks the safetensors of"),
        ([*BASE, SHARDS[0], *WHOLE[1:]], "lacks the safetensors of unet"),
    ],
)
def test_which_models_are_refused(names, words):
    with pytest.raises(ModelError, match=words):
        select_files("a/b", names, PARTS, False)


def test_pickles_are_refused_before_anything_is_downloaded(stand_in, cache, files):
    for name in IDS:
        kept = {n: data for n, data in files.items() if not n.endswith(".safetensors")}
        stand_in.models[name] = kept
    check_sentence(fetch(), "has its unet in pickle files only")
    assert not any("/resolve/" in request for request in stand_in.asked)


def test_a_model_that_asks_for_code_of_its_own_is_refused(stand_in, cache):
    index = json.loads(stand_in.models[FIRST]["model_index.json"])
    index["unet"] = ["poison", "UNet2DConditionModel"]
    stand_in.models[FIRST]["model_index.json"] = json.dumps(index).encode()
    with pytest.raises(ModelError, match="The unet of .* asks for code of its own"):
        load(FIRST)
    assert not any("poison.py" in request for request in stand_in.asked)


def test_what_is_no_id_is_refused(cache):
    with pytest.raises(ModelError, match=r"no folder 'a\.\./b' here\. 'a\.\./b' is no hub id"):
        load("a../b")


# other doors


def test_modelscope_is_reached_by_its_own_library(monkeypatch, tmp_path, files):
    asked = []

    def snapshot_download(model_id, allow_patterns):
        asked.append((model_id, allow_patterns))
        for name, data in files.items():
            if name in allow_patterns or name.endswith((".json", ".txt")):
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).write_bytes(data)
        return str(tmp_path)

    module = ModuleType("modelscope")
    module.snapshot_download = snapshot_download
    monkeypatch.setitem(sys.modules, "modelscope", module)
    copy = library.fetch_modelscope("owner/name", PARTS, half=True)
    assert copy == ("modelscope:owner/name", tmp_path, None)  # there was no half precision
    assert [HALF in wanted for _, wanted in asked] == [True, False]
    assert not any(name.endswith((".bin", ".py", ".ckpt")) for _, ns in asked for name in ns)


def test_modelscope_that_fails_is_one_sentence(monkeypatch):
    def snapshot_download(model_id, allow_patterns):
        raise RuntimeError("The request model: owner/name does not exist!\nand more")

    monkeypatch.setitem(sys.modules, "modelscope", module := ModuleType("modelscope"))
    module.snapshot_download = snapshot_download
    with pytest.raises(ModelError, match="Cannot download modelscope:owner/name: The request"):
        library.fetch_modelscope("owner/name", PARTS)


def test_modelscope_without_its_library_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "modelscope", None)
    with pytest.raises(ModelError, match=r"needs the library of ModelScope: `pip install"):
        library.fetch_modelscope("owner/name", PARTS)


# the whole way


def test_load_by_name_downloads_once_and_says_what_it_used(stand_in, cache, monkeypatch, capfd):
    stand_in.faults = [on(FIRST, (404, "RepoNotFound"))]
    monkeypatch.setenv("COURSE_MODEL", "sd-2.1")
    for name in ("sd-2.1", None):
        pipe = load(name)
        print(type(pipe).__name__, pipe.unet.dtype, pipe.device, pipe.safety_checker)
    out, err = capfd.readouterr()
    lines = out.splitlines()
    size = r"\d+(\.\d+)? MB"
    run = r"cpu in float32, about \d\.\d GB of memory\."
    assert re.fullmatch(rf"sd-2\.1: {size} from {SECOND}, to run on {run}", lines[0]), out
    assert re.fullmatch(rf"sd-2\.1: {SECOND} on {run}", lines[1])
    assert lines[2] == "StableDiffusionPipeline torch.float32 cpu None"
    assert lines[3:] == lines[1:3]
    assert sum(request.endswith(UNET) for request in stand_in.asked) == 2  # HEAD and GET, once
    assert "Fetching" in err  # progress
    assert not any(name in request for name in POISON for request in stand_in.asked)
