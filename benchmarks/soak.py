"""Does the judge engine lose, double or leak anything in a long run against a server that misbehaves?

    python benchmarks/soak.py                      # 100,000 judgments, 5 % faults, about eight minutes
    python benchmarks/soak.py --judgments 2000     # the same, scaled down (tests/faults/test_soak.py)

The server runs in a process of its own and counts, for every judgment, how often it gave a rating for it. One request
in twenty, by a seeded hash of judgment and try, meets a fault instead: 429 (half of them with a Retry-After), 500, a
reset connection, an answer that begins and never ends, an answer that is no JSON, an empty reply.

The ceiling is what a bare asyncio client, which builds no messages, keeps no store and checks nothing, gets out of the
same server under the same faults with as many connections.
"""

import argparse
import asyncio
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar
from urllib.request import urlopen

from lm_eval_ja.judge import JudgeConfig, JudgmentStore, Messages, judge, preflight
from lm_eval_ja.judge._store import Record

TIMEOUT = 3.0  # seconds until an answer that never ends is given up
WAIT_MS = 20  # what a 429 asks for
KINDS = ("429", "429 Retry-After", "500", "reset", "stall", "invalid JSON", "empty reply")
FILLER = "回答の本文です。" * 350  # requests of the size of MT-Bench's


def rating_of(number: int) -> int:
    return number % 10 + 1


def fault_of(number: int, attempt: int, share: float) -> str | None:
    """The fault that this try meets, if any: a mix of all kinds in equal parts."""
    mixed = (number * 0x9E3779B1 + attempt * 0x85EBCA77) & 0xFFFFFFFF
    mixed = ((mixed ^ mixed >> 15) * 0x2C1B3C6D) & 0xFFFFFFFF
    mixed ^= mixed >> 13
    place = mixed / 2**32 / share if share else 1.0
    return KINDS[int(place * len(KINDS))] if place < 1 else None


# ------------------------------------------------------------------------------------------------------ server


class Service(asyncio.Protocol):
    """One connection. Requests are answered in turn, each after the latency."""

    latency: ClassVar = 0.0
    share: ClassVar = 0.0
    tries: ClassVar[Counter[int]] = Counter()
    rated: ClassVar[Counter[int]] = Counter()
    faults: ClassVar[Counter[str]] = Counter()
    lengths = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
    numbers = re.compile(rb"item (\d+)")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.pending = bytearray()

    def data_received(self, data: bytes) -> None:
        """Answer, after the latency, once a whole request has come."""
        self.pending += data
        end = self.pending.find(b"\r\n\r\n")
        if end < 0:
            return
        length = self.lengths.search(self.pending, 0, end + 2)
        size = end + 4 + (int(length[1]) if length else 0)
        if len(self.pending) < size:
            return
        request, self.pending = bytes(self.pending[:size]), self.pending[size:]
        if request.startswith(b"GET"):
            self.respond(json.dumps(self.statistics()).encode())
            return
        asyncio.get_running_loop().call_later(self.latency, self.answer, self.numbers.search(request))

    def statistics(self) -> dict[str, object]:
        """What was counted so far."""
        return {
            "requests": self.tries.total(),
            "rated": len(self.rated),
            "doubled": sum(times > 1 for times in self.rated.values()),
            "faults": dict(self.faults),
        }

    def answer(self, number: "re.Match[bytes] | None") -> None:
        """Rate a judgment, or let this try of it meet its fault."""
        if self.transport.is_closing():
            return
        if number is None:  # the preflight
            self.respond(completion("1"))
            return
        item = int(number[1])
        self.tries[item] += 1
        kind = fault_of(item, self.tries[item], self.share)
        if kind is None:
            self.rated[item] += 1
            self.respond(completion(f"根拠を述べます。Rating: [[{rating_of(item)}]]"))
            return
        self.faults[kind] += 1
        if kind.startswith("429"):
            self.respond(b"{}", "429 Too Many Requests", f"retry-after-ms: {WAIT_MS}\r\n" * ("After" in kind))
        elif kind == "500":
            self.respond(b"{}", "500 Internal Server Error")
        elif kind == "reset":
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        elif kind == "stall":
            self.transport.write(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"choices": [')
        elif kind == "invalid JSON":
            self.respond(b'{"choices": [{"message": {"content": "[[')
        else:
            self.respond(completion(""))

    def respond(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        """Send a whole answer."""
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)


def completion(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    return json.dumps({"model": "soak", "choices": [choice], "usage": usage}).encode()


async def serve(latency: float, share: float) -> None:
    Service.latency, Service.share = latency, share
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # a stalled client must not keep the process


@contextmanager
def service(latency: float, share: float) -> Iterator[int]:
    """The server's port."""
    command = [sys.executable, __file__, "--serve", "--latency", str(latency), "--faults", str(share)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def statistics(port: int) -> dict[str, object]:
    """What the server has counted."""
    with urlopen(f"http://127.0.0.1:{port}/") as answer:
        found: dict[str, object] = json.load(answer)
    return found


# ----------------------------------------------------------------------------------------------------- clients


async def bare(port: int, numbers: range, connections: int) -> float:
    """Judgments per second of a client that does nothing but send and receive."""
    payload = json.dumps(
        {"messages": [{"role": "user", "content": "item 00000000 " + FILLER}]}, ensure_ascii=False
    )
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(payload.encode())}\r\n\r\n"
    before, after = (head + payload).encode().split(b"00000000")
    items = iter(numbers)
    times: list[float] = []

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, item: int) -> bool:
        writer.write(before + b"%08d" % item + after)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = Service.lengths.search(answer)
        assert length is not None
        body = await reader.readexactly(int(length[1]))
        if b"retry-after" in answer:
            await asyncio.sleep(WAIT_MS / 1000)
        return b"]]" in body

    async def work() -> None:
        writer = None
        for item in items:
            done = False
            while not done:
                with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                    if writer is None:
                        reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    done = await asyncio.wait_for(ask(reader, writer, item), TIMEOUT)
                    if done:
                        times.append(time.perf_counter())
                    continue
                if writer is not None:
                    writer.close()
                writer = None

    start = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return rate_while_busy(start, times, connections)


def rate_while_busy(start: float, times: Sequence[float], connections: int) -> float:
    """Judgments per second as long as all connections had something to do: a stall at the end says nothing."""
    number = len(times) - connections
    return number / (times[number - 1] - start)


class TimedStore(JudgmentStore):
    """A store that notes when its judgments came."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.times: list[float] = []

    def append(self, records: Sequence[Record]) -> None:
        """Save, and note the time."""
        super().append(records)
        self.times += [time.perf_counter()] * len(records)


class Items(Sequence[Messages]):
    """Requests that are made when they are looked at, so that the memory measured is the engine's."""

    def __init__(self, numbers: range) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place: int) -> Messages:  # type: ignore[override]  # no slices are taken
        content = f"item {self._numbers[place]:08d} {FILLER}"
        return [{"role": "system", "content": "You judge."}, {"role": "user", "content": content}]


def resident() -> float:
    """Memory of this process in MiB."""
    return (
        int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        * os.sysconf("SC_PAGE_SIZE")
        / 2**20
    )


def soak(options: argparse.Namespace) -> dict[str, object]:
    """Run all rounds; what was found, for machines."""
    found: dict[str, object] = {"judgments": options.judgments, "concurrency": options.concurrency}
    with service(options.latency, options.faults) as port, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.jsonl")
        store = TimedStore(path)
        config = JudgeConfig(
            base_url=f"http://127.0.0.1:{port}/v1",
            concurrency=options.concurrency,
            timeout=TIMEOUT,
            backoff=0.02,
        )
        preflight(config)
        rounds: list[dict[str, float]] = []
        wrong = 0
        size = options.judgments // options.rounds
        ceilings: list[float] = []
        extra = max(size // 10, 8 * options.concurrency)
        print("judgments  per second  bare client  CPU ms each  memory MiB", flush=True)
        for first in range(0, options.judgments, size):
            numbers = range(first, min(first + size, options.judgments))
            # By turns, so that whatever else the machine does slows both; with numbers of its own.
            start = options.judgments + len(ceilings) * extra
            ceilings.append(asyncio.run(bare(port, range(start, start + extra), options.concurrency)))
            begun, cpu = time.perf_counter(), time.process_time()
            store.times.clear()
            judgments = judge(Items(numbers), config, store, progress=False)
            cpu = time.process_time() - cpu
            rate = rate_while_busy(begun, store.times, options.concurrency)
            wrong += sum(
                judgment.rating != rating_of(number)
                for judgment, number in zip(judgments, numbers, strict=True)
            )
            del judgments
            rounds.append({"rate": rate, "cpu_ms": 1000 * cpu / len(numbers), "memory": resident()})
            print(
                f"{numbers.stop:9}  {rounds[-1]['rate']:10.1f}  {ceilings[-1]:11.1f}  {rounds[-1]['cpu_ms']:11.2f}  "
                f"{rounds[-1]['memory']:10.1f}",
                flush=True,
            )
        found["server"] = counted = statistics(port)
        counted["rated"] = int(str(counted["rated"])) - len(ceilings) * extra  # the bare client's
        lines = [json.loads(line) for line in path.open("rb")]
        begun = time.perf_counter()
        again = judge(Items(range(options.judgments)), config, JudgmentStore(path), progress=False)
        found["rerun_s"] = time.perf_counter() - begun
        found |= {
            "rounds": rounds,
            "ceiling": sum(ceilings) / len(ceilings),
            "rate": options.judgments / sum(size / entry["rate"] for entry in rounds),
            "wrong": wrong,
            "lines": len(lines),
            "saved_twice": len(lines) - len({line["key"] for line in lines}),
            "lost": sum(
                not judgment.cached or judgment.rating != rating_of(number)
                for number, judgment in enumerate(again)
            ),
            "asked_by_rerun": int(str(statistics(port)["requests"])) - int(str(counted["requests"])),
        }
    return found


def show(found: dict[str, object]) -> None:
    """What was found, for people."""
    server: dict[str, object] = found["server"]  # type: ignore[assignment]  # what soak() put there
    rounds: list[dict[str, float]] = found["rounds"]  # type: ignore[assignment]  # what soak() put there
    rate, ceiling = float(str(found["rate"])), float(str(found["ceiling"]))
    later = rounds[len(rounds) // 2 :]
    per_judgment = (
        (later[-1]["memory"] - later[0]["memory"])
        * 2**20
        / max(1, (len(later) - 1) * int(str(found["judgments"])) // len(rounds))
    )
    print(f"faults met: {server['faults']}")
    print(f"requests at the server: {server['requests']}, judgments rated there: {server['rated']}")
    print(f"rated twice: {server['doubled']}, saved twice: {found['saved_twice']}")
    print(
        f"lost: {found['lost']}, wrong: {found['wrong']}, asked again by a rerun: {found['asked_by_rerun']}"
    )
    print(
        f"per second: {rate:.1f}; a bare client on the same server: {ceiling:.1f}; ratio {rate / ceiling:.3f}"
    )
    print(f"memory per further judgment, over the second half: {per_judgment:.0f} bytes")
    print(f"rerun from the store: {float(str(found['rerun_s'])):.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--judgments", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=10, help="calls of judge() that share them")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds per answer")
    parser.add_argument("--faults", type=float, default=0.05, help="share of requests")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON, last")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.latency, options.faults))
        return
    os.environ.setdefault("OPENAI_API_KEY", "benchmark")
    found = soak(options)
    show(found)
    if options.json:
        print(json.dumps(found))
    server: dict[str, object] = found["server"]  # type: ignore[assignment]  # what soak() put there
    if any((found["lost"], found["wrong"], found["saved_twice"], server["doubled"], found["asked_by_rerun"])):
        sys.exit("a judgment was lost, doubled or changed")


if __name__ == "__main__":
    main()
