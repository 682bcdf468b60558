"""The sweep itself: one checkpoint after the other, the judge one behind."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from lm_eval_ja.errors import OptionError
from lm_eval_ja.results import find_results
from lm_eval_ja.sweep._checkpoints import Checkpoint
from lm_eval_ja.sweep._ledger import Done, Ledger, is_complete


@dataclass(frozen=True)
class Work:
    """What is to be done for a checkpoint.

    Attributes:
        checkpoint: The checkpoint.
        settings: Digest of all that its answers depend on.
        evaluate: Evaluates it; what goes wrong is returned, in words.
    """

    checkpoint: Checkpoint
    settings: str
    evaluate: Callable[[], str | None]


@dataclass(frozen=True)
class Judge:
    """Who rates the answers.

    Attributes:
        key: Digest of all that ratings depend on.
        command: The command that has one results file judged.
    """

    key: str
    command: Callable[[Path], Sequence[str]]


@dataclass
class Sweep:
    """A sweep.

    Attributes:
        ledger: What has been done.
        judge: Who rates the answers after they were generated; None if nobody does.
        problems: By checkpoint, what went wrong.
        results: By checkpoint, its newest results file.
        skipped: Checkpoints for which nothing was left to do.
    """

    ledger: Ledger
    judge: Judge | None = None
    problems: dict[str, str] = field(default_factory=dict)
    results: dict[str, Path] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def run(self, works: Iterable[Work]) -> None:
        """Evaluate every checkpoint that is not done, and have each judged while the next one generates.

        A checkpoint in trouble is noted in ``problems`` and left out.
        """
        works = list(works)
        judged: list[Future[None]] = []
        with (
            ThreadPoolExecutor(1, thread_name_prefix="judge") as judging,
            tqdm(total=len(works), desc="sweep", unit="checkpoint", file=sys.stderr) as bar,
        ):
            try:
                for work in works:
                    bar.set_postfix_str(work.checkpoint.name)
                    done = self._generate(work)
                    if done is not None and self.judge is not None and done.judge != self.judge.key:
                        judged.append(judging.submit(self._rate, done, self.judge))
                    bar.update()
                if judged:
                    bar.set_postfix_str("judging")
            except BaseException:
                judging.shutdown(wait=False, cancel_futures=True)
                raise
        for future in judged:
            future.result()

    def _generate(self, work: Work) -> Done | None:
        """The checkpoint's answers, from the ledger or from the model; None if there is no way to them."""
        name = work.checkpoint.name
        done = self.ledger.find(work.settings)
        if done is not None:
            self.results[name] = self.ledger.folder / done.results
            if self.judge is None or done.judge == self.judge.key:
                self.skipped.append(name)
            return replace(done, checkpoint=name)
        before = set(_results(self.ledger.folder))
        problem = work.evaluate()
        new = [path for path in _results(self.ledger.folder) if path not in before and is_complete(path)]
        if problem is None and not new:
            problem = f"its results could not be written to {self.ledger.folder} (is the disk full?)"
        if problem is not None:
            self._note(name, problem)
            return None
        self.results[name] = new[-1]
        done = Done(name, work.settings, str(new[-1].relative_to(self.ledger.folder)))
        self.ledger.add(done)
        return done

    def _rate(self, done: Done, judge: Judge) -> None:
        results = self.ledger.folder / done.results
        before = set(_results(results.parent))
        ended = subprocess.run(  # noqa: S603  # our own command
            judge.command(results), capture_output=True, text=True, encoding="utf-8", check=False
        )
        tqdm.write(f"{done.checkpoint}, judged:\n{ended.stdout}{ended.stderr}", file=sys.stderr)
        new = [path for path in _results(results.parent) if path not in before]
        if new:
            self.results[done.checkpoint] = new[-1]
        if ended.returncode:
            said = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
            reason = "some turns have no rating" if new else (said or ["no reason was given"])[-1]
            self._note(done.checkpoint, f"not judged: {reason}; the answers are kept, run the sweep again")
        elif new:
            relative = str(new[-1].relative_to(self.ledger.folder))
            self.ledger.add(replace(done, results=relative, judge=judge.key))

    def _note(self, name: str, problem: str) -> None:
        self.problems[name] = problem
        tqdm.write(f"{name} is left out: {problem}", file=sys.stderr)


def _results(folder: Path) -> list[Path]:
    """Results files in a folder, oldest first by the date in their names."""
    try:
        return sorted(find_results(folder), key=lambda path: path.name)
    except OptionError:  # not there yet
        return []
