#!/usr/bin/env python3
"""Build wheel and sdist, look into both, and run the quick start from the wheel alone.

    .ci/package.py [REQUIREMENT ...]        (e.g. lm_eval==0.4.13, installed beside the wheel)

In a temporary folder: nothing of the checkout but the built files reaches the environment that runs the quick start.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from venv import EnvBuilder

ROOT = Path(__file__).resolve().parents[1]
SCORE = 0.6052
"""Of the answers in examples/, as the README shows it."""

# What the sdist holds of the repository, and the only places with anything that looks like data: all of it made up
# (samples), digests and constants (golden files), or settings.
IN_SDIST = re.compile(
    r"(lm_eval_ja|tests|docs|examples|scripts|benchmarks)/.+|lm_eval_ja\.pth|[^/]+\.md|CITATION\.bib|LICENSE|NOTICE"
    r"|pyproject\.toml|Makefile|\.gitignore"
)
DATA = re.compile(r".+\.(arrow|bin|csv|db|gz|id|json|jsonl|knp|npy|parquet|pkl|sqlite|tar|tsv|txt|xml|zip)")
DATA_MAY_BE_IN = (
    "lm_eval_ja/callbacks/subset.json",  # ids of questions
    "lm_eval_ja/datasets/sample/",
    "lm_eval_ja/report/vendor/",  # licences
    "tests/golden/",
    "tests/fuzz/seeds/",  # replies of judges that once broke a run
    "examples/sample_answers.jsonl",
)


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command outside the checkout's reach and return what it prints."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith("LM_EVAL_JA_")
    }
    env["LM_EVAL_JA_CACHE"] = str(cwd / "cache")
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def environment(folder: Path, *requirements: str | Path) -> Path:
    """Make an environment and return its folder of programs."""
    EnvBuilder(with_pip=True).create(folder)
    bin_ = folder / ("Scripts" if os.name == "nt" else "bin")
    run(bin_ / "python", "-m", "pip", "install", "--quiet", *requirements, cwd=folder)
    return bin_


def same(what: str, found: set[str], expected: set[str]) -> None:
    """End with an error that names every file too many or too few."""
    if found != expected:
        sys.exit(f"{what}: unexpected {sorted(found - expected)}, missing {sorted(expected - found)}")


def wheel_files(wheel: Path) -> dict[str, int]:
    """CRC of each file; the list of files itself left out, for it holds the others' digests."""
    with zipfile.ZipFile(wheel) as archive:
        return {member.filename: member.CRC for member in archive.infolist()}


def look_into_wheel(wheel: Path, tracked: set[str]) -> dict[str, int]:
    """Expect the package's tracked files, the bridge, and the metadata."""
    files = wheel_files(wheel)
    info = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    metadata = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE")
    package = {name for name in tracked if name.startswith("lm_eval_ja/")}
    same(wheel.name, set(files), {*package, "lm_eval_ja.pth", *(f"{info}/{name}" for name in metadata)})
    for needed in (
        "lm_eval_ja/py.typed",
        "lm_eval_ja/tasks/neo/_nejumi.yaml",
        "lm_eval_ja/report/assets/template.html",
    ):
        if needed not in files:
            sys.exit(f"{wheel.name} lacks {needed}")
    return files


def look_into_sdist(sdist: Path, tracked: set[str]) -> None:
    """Expect the tracked files that belong to it, and the metadata."""
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    if not all(member.isreg() for member in members):
        sys.exit(f"{sdist.name} holds more than regular files")
    top = sdist.name.removesuffix(".tar.gz") + "/"
    found = {member.name.removeprefix(top) for member in members}
    same(sdist.name, found, {*filter(IN_SDIST.fullmatch, tracked), "PKG-INFO"})


def main() -> int:
    """Do it all and print what was found."""
    tracked = set(run("git", "ls-files", "-z", cwd=ROOT).split("\0")) - {""}
    data = {name for name in tracked if IN_SDIST.fullmatch(name) and DATA.fullmatch(name)}
    same("data", {name for name in data if not name.startswith(DATA_MAY_BE_IN)}, set())

    with TemporaryDirectory() as folder:
        room = Path(folder)
        tools = environment(room / "tools", "build", "twine")
        dist, again = room / "dist", room / "again"
        run(tools / "python", "-m", "build", "--outdir", dist, ROOT, cwd=room)  # the wheel from the sdist
        run(
            tools / "python", "-m", "build", "--wheel", "--outdir", again, ROOT, cwd=room
        )  # the wheel from the tree
        (sdist,), (wheel,), (direct,) = dist.glob("*.tar.gz"), dist.glob("*.whl"), again.glob("*.whl")
        print(run(tools / "python", "-m", "twine", "check", "--strict", sdist, wheel, cwd=room).strip())
        look_into_sdist(sdist, tracked)
        files = look_into_wheel(wheel, tracked)
        if files != wheel_files(direct):
            sys.exit("the wheel made from the sdist is not the wheel made from the tree")
        for built in (sdist, wheel):
            print(f"{built.name}: {built.stat().st_size:,} bytes")
        print(f"{len(files)} files in the wheel, the same from the sdist as from the tree")

        clean = environment(room / "clean", wheel, *sys.argv[1:])
        print(run(clean / "python", "-m", "pip", "check", cwd=room).strip())
        quick_start(clean, room)
    return 0


def quick_start(clean: Path, room: Path) -> None:
    """`make demo`'s command and the doctor, where nothing but the wheel is installed."""
    answers = room / "answers.jsonl"
    answers.write_bytes((ROOT / "examples" / "sample_answers.jsonl").read_bytes())
    command = [
        "lm_eval",
        "run",
        "--model",
        "recorded",
        "--model_args",
        f"path={answers}",
        "--tasks",
        "nejumi_jaster",
    ]
    command += ["--metadata", '{"data": "sample"}', "--output_path", "out"]
    run(clean / command[0], *command[1:], cwd=room)
    (results,) = (room / "out").rglob("results_*.json")
    score = json.loads(results.read_text(encoding="utf-8"))["results"]["nejumi_jaster"]["score,none"]
    if round(score, 4) != SCORE:
        sys.exit(f"the quick start gives {score}, not {SCORE}")
    print(f"quick start from the wheel: {score:.4f}")
    doctor = run(clean / "lm-eval-ja", "doctor", cwd=room)
    for line in ("ok   bridge: on", "ok   tasks: "):
        if line not in doctor:
            sys.exit(f"the doctor does not say {line!r}:\n{doctor}")
    print(*(line for line in doctor.splitlines() if line.startswith("ok ")), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
