"""``repeats`` in the harness: every sample is drawn anew, through caches and API models too."""

import dataclasses
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from lm_eval.api.model import LM, CachingLM
from lm_eval.tasks import TaskManager

from lm_eval_ja import plugin
from lm_eval_ja.adapters import make_request
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics import METRICS
from lm_eval_ja.models.recorded import RecordedLM
from lm_eval_ja.rescoring import rescore
from lm_eval_ja.results import read_runs


class Dice(LM):
    """A real LM that never says the same twice, saves every answer as it comes, and may break down."""

    def __init__(self, name="dice", breaks_after=None):
        super().__init__()
        self.asked = 0
        self.name = name
        self.breaks_after = breaks_after

    def generate_until(self, requests):
        assert requests, "backends crash on an empty list"
        answers = []
        for request in requests:
            if self.asked == self.breaks_after:
                raise RuntimeError("out of memory")
            self.asked += 1
            answers.append(f"{self.name} {self.asked}")
            self.cache_hook.add_partial("generate_until", request.args, answers[-1])
        return answers

    loglikelihood = loglikelihood_rolling = None


def requests(repeats, prompts=("p", "q"), task="nejumi_jaster_jnli", **settings):
    plugin.claim("nejumi_jaster_jnli")
    made = []
    for number, prompt in enumerate(prompts):
        arguments = (prompt, {"until": ["x"], "max_gen_toks": 3, "temperature": 0.7, **settings})
        one = make_request("generate_until_repeated", {"id": f"a-{number}"}, arguments, task, number)
        one = dataclasses.replace(one, metadata=(task, number, repeats))
        made += [one] * repeats  # as the harness does
    return made


@pytest.fixture(autouse=True)
def hooks():
    plugin.install()


def test_every_sample_is_another_answer_also_from_the_cache(tmp_path):
    path = str(tmp_path / "cache.db")
    first = CachingLM(Dice(), path).generate_until_repeated(requests(4))
    assert len(set(first)) == 8
    again = Dice("other throw")
    assert CachingLM(again, path).generate_until_repeated(requests(4)) == first
    assert again.asked == 0
    more = CachingLM(again, path).generate_until_repeated(requests(5))
    assert more[:4] == first[:4]
    assert more[5:9] == first[4:]
    assert again.asked == 2, "only what is new is generated"


def test_questions_that_share_a_prompt_share_no_sample(tmp_path):
    path = str(tmp_path / "cache.db")
    first = CachingLM(Dice(), path).generate_until_repeated(requests(2, ("p", "p")))
    assert len(set(first)) == 4
    assert CachingLM(Dice(), path).generate_until_repeated(requests(2, ("p", "p"))) == first


def test_samples_generated_before_a_crash_are_kept_each_in_its_place(tmp_path):
    path = str(tmp_path / "cache.db")
    with pytest.raises(RuntimeError):
        CachingLM(Dice(breaks_after=5), path).generate_until_repeated(requests(4))
    again = Dice("again")
    answers = CachingLM(again, path).generate_until_repeated(requests(4))
    assert answers == [*(f"dice {n}" for n in range(1, 6)), *(f"again {n}" for n in range(1, 4))]
    assert again.asked == 3


def test_samples_are_looked_at_as_they_come_also_with_a_cache(tmp_path, monkeypatch):
    """Thoughts that a run does not expect are told while it can still be stopped: by the harness's own hook."""
    from lm_eval.api.model import CacheHook

    seen = []
    monkeypatch.setattr(CacheHook, "add_partial", lambda self, attr, req, res: seen.append(res))
    answers = CachingLM(Dice(), str(tmp_path / "cache.db")).generate_until_repeated(requests(2))
    assert seen == answers


def test_padding_for_other_ranks_is_generated_and_no_sample_of_its_own():
    padded = [*requests(2, ("p",)), *requests(2, ("p",))[:0]]
    padded += padded[-1:] * 2
    assert len(Dice().generate_until_repeated(padded)) == 4


@pytest.mark.parametrize(("settings", "warned"), [({"temperature": 0.0}, True), ({}, False)])
def test_greedy_repeats_are_told(settings, warned, caplog):
    Dice().generate_until_repeated(requests(2, **settings))
    assert ("all samples of a question will be equal" in caplog.text.replace("\n", " ")) is warned


# ------------------------------------------------------------------------------------------------ seeds


class Handler(BaseHTTPRequestHandler):
    """Answers prompts by their seed."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        self.server.seeds[body["seed"]] += len(prompts)
        choices = [
            {"index": index, "text": f"{prompt} {body['seed']}"} for index, prompt in enumerate(prompts)
        ]
        text = json.dumps({"choices": choices}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """An OpenAI-compatible server whose answers are decided by prompt and seed, as vLLM's are."""

    def __init__(self):
        self.seeds = Counter()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.mark.parametrize("concurrent", [1, 4])
@pytest.mark.parametrize(("settings", "base"), [({}, 1234), ({"seed": 50}, 50)])
def test_api_models_send_another_seed_with_every_sample(concurrent, settings, base, tmp_path):
    pytest.importorskip("tenacity")
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    server = Server()
    try:
        lm = LocalCompletionsAPI(
            base_url=f"http://127.0.0.1:{server.server_port}/v1/completions",
            model="m",
            tokenizer_backend=None,
            num_concurrent=concurrent,
        )
        path = str(tmp_path / "cache.db")
        answers = CachingLM(lm, path).generate_until_repeated(requests(3, **settings))
        assert answers == [f"{prompt} {base + number}" for prompt in "pq" for number in range(3)]
        assert server.seeds == {base: 2, base + 1: 2, base + 2: 2}
        assert CachingLM(lm, path).generate_until_repeated(requests(3, **settings)) == answers
        assert sum(server.seeds.values()) == 6
        assert lm._seed == 1234
    finally:
        server.shutdown()


# ------------------------------------------------------------------------------------------------ one model's cache


def made(arguments, cls=Dice):
    class Named(cls):
        def __init__(self, **_):
            super().__init__()

    return Named.create_from_arg_string(arguments)


@pytest.mark.parametrize("kind", ["generate_until", "generate_until_repeated"])
def test_a_second_model_is_refused_the_first_ones_answers(kind, tmp_path):
    path = str(tmp_path / "cache.db")

    def generate(arguments, task="nejumi_jaster_jnli"):
        lm = CachingLM(made(arguments), path)
        return getattr(lm, kind)(requests(1, task=task))

    first = generate("pretrained=lab/a,dtype=float16,batch_size=1")
    assert generate("pretrained=lab/a,gpu_memory_utilization=0.5") == first, "how it runs is no other model"
    with pytest.raises(
        OptionError, match=r"holds the answers of pretrained=lab/a .* evaluates pretrained=lab/b"
    ):
        generate("pretrained=lab/b")
    with pytest.raises(OptionError, match="revision=x"):
        generate("pretrained=lab/a,revision=x")
    with pytest.raises(OptionError, match="think_end_token"):  # whose answers would be read as thoughts
        generate("pretrained=lab/a,think_end_token=</think>")
    with pytest.raises(OptionError, match="another --seed"):
        generate("pretrained=lab/a,seed=5")
    if kind == "generate_until":
        assert generate("pretrained=lab/b", task="someone_elses") == first, "not ours to refuse"


def test_a_path_is_the_same_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    path = str(tmp_path / "cache.db")
    for arguments in ("pretrained=model", f"pretrained={tmp_path}/model", "pretrained=./model"):
        CachingLM(made(arguments), path).generate_until(requests(1))


@pytest.mark.parametrize("settings", [{}, {"temperature": None}, {"temperature": 0.7}])
@pytest.mark.parametrize("kind", ["generate_until", "generate_until_repeated"])
def test_do_sample_alone_draws_answers(kind, settings, tmp_path, caplog):
    """hf samples with the checkpoint's own temperature then: another seed's answers are refused all the same."""
    path = str(tmp_path / "cache.db")

    def generate(seed):
        lm = CachingLM(made(f"model=m,seed={seed}"), path)
        own = requests(2, do_sample=True)
        for request in own:
            request.args[1].pop("temperature", None)  # requests of one question are one object
            request.args[1].update(settings)
        return getattr(lm, kind)(own)

    generate(1)
    assert "greedily" not in caplog.text
    with pytest.raises(OptionError, match="another --seed"):
        generate(2)


def test_greedy_answers_are_the_same_with_any_seed(tmp_path):
    path = str(tmp_path / "cache.db")
    for seed in (1, 2):
        CachingLM(made(f"model=m,seed={seed}"), path).generate_until(requests(1, temperature=0.0))


# ------------------------------------------------------------------------------------------------ recorded answers


def recorded(tmp_path, *lines):
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return RecordedLM(str(path))


def test_recorded_samples_come_one_by_one(tmp_path, caplog):
    lm = recorded(tmp_path, {"prompt": "p", "output": ["a", "b", "a"]}, {"prompt": "q", "output": ["c"] * 3})
    assert lm.generate_until_repeated(requests(3)) == ["a", "b", "a", "c", "c", "c"]
    assert lm.generate_until(requests(3)) == ["a", "b", "a", "c", "c", "c"], (
        "a task with the harness's repeats"
    )
    assert not caplog.text
    assert lm.generate_until_repeated(requests(2)) == ["a", "b", "c", "c"]
    assert "1 more answers to a prompt than are scored" in caplog.text


def test_too_few_recorded_samples_are_named(tmp_path):
    lm = recorded(tmp_path, {"prompt": "p", "output": ["a", "b"]}, {"prompt": "q", "output": "c"})
    with pytest.raises(DataError, match=r"fewer answers than are asked for to 2 prompts: .*:a-0, .*:a-1"):
        lm.generate_until_repeated(requests(3))
    with pytest.raises(DataError, match="2 of 4 prompts"):
        lm.generate_until_repeated(requests(2, ("p", "z")))


@pytest.mark.parametrize("output", [[], ["a", 1], {"a": 1}, 3])
def test_an_output_that_is_no_text_or_list_of_texts_is_named(tmp_path, output):
    with pytest.raises(DataError, match=r"`output` a text or a list of texts"):
        recorded(tmp_path, {"prompt": "p", "output": output})


# ------------------------------------------------------------------------------------------------ tasks


def load(name, **metadata):
    manager = TaskManager(
        include_path=str(plugin.TASKS_PATH), include_defaults=False, metadata={"data": "sample", **metadata}
    )
    return manager.load([name])["tasks"][name]


@pytest.mark.parametrize("repeats", [0, -1, 2.0, "4", True])
def test_a_number_that_cannot_be_is_refused(repeats):
    with pytest.raises(OptionError, match=r"repeats is .*; it must be a whole number from 1"):
        load("nejumi_jaster_jnli", repeats=repeats)


@pytest.mark.parametrize(
    ("task", "why"), [("nejumi_mtbench", "judge_repeats judges"), ("m_ifeval_ja", "one answer")]
)
def test_tasks_that_score_one_answer_refuse_before_anything_is_generated(task, why):
    with pytest.raises(OptionError, match=f"{task} cannot take repeats=2: .*{why}"):
        load(task, repeats=2)
    load(task, repeats=1)


def test_one_sample_is_what_it_was():
    task = load("nejumi_jaster_jnli", repeats=1)
    assert "repeats" not in task.signature()
    assert task.OUTPUT_TYPE == "generate_until"
    assert task.config.filter_list == load("nejumi_jaster_jnli").config.filter_list


def test_the_signature_says_so_and_runs_are_ranked_apart(tmp_path):
    assert load("nejumi_jaster_jnli", repeats=4).signature().endswith("|repeats:4")


@pytest.mark.parametrize("name", ["nejumi_jaster_jnli", "nejumi_jaster_chabsa", "llm_jp_eval_jsts"])
def test_table_samples_report_and_rescoring_have_one_number(name, tmp_path):
    """Through ``lm_eval``'s own evaluation and its own files."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker

    metadata = {"data": "sample", "repeats": 3}
    task = load(name, **metadata)
    task.build_all_requests(limit=None)
    metric = task.block.metrics[0]
    lines = []
    for number, one in enumerate(task.instances):
        gold = task.doc_to_target(one.doc)
        output = [gold if (number + sample) % 2 else "1.5" for sample in range(3)]
        lines.append({"prompt": one.args[0], "output": output})
    recorded(tmp_path, *lines)
    found = simple_evaluate(
        model="recorded",
        model_args={"path": str(tmp_path / "answers.jsonl"), "model": "lab/m"},
        tasks=[name],
        task_manager=TaskManager(
            include_path=str(plugin.TASKS_PATH), include_defaults=False, metadata=metadata
        ),
        bootstrap_iters=10,
    )
    tracker = EvaluationTracker(output_path=str(tmp_path / "out"))
    tracker.general_config_tracker.model_name = "lab/m"
    tracker.general_config_tracker.model_name_sanitized = "lab__m"
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    tracker.save_results_samples(task_name=name, samples=samples[name])

    (run,) = read_runs([tmp_path / "out"]).runs
    own = run.tasks[name]
    shown = found["results"][name][f"{metric},none"]
    assert own.score.value == shown
    assert (own.repeats, run.repeats) == (3, 3)
    for question, line in zip(own.questions, lines, strict=True):
        assert [sample.output for sample in question.samples] == line["output"]
    if METRICS[metric].per_item is not None:
        assert shown == pytest.approx(sum(q.score for q in own.questions) / len(own.questions), abs=1e-15)
        for question in own.questions:
            assert question.score == pytest.approx(sum(s.score for s in question.samples) / 3, abs=1e-15)
        assert own.score.stderr == found["results"][name][f"{metric}_stderr,none"]
    (dataset,) = rescore(run).datasets
    assert (dataset.before, dataset.reproduced) == (shown, shown)
    further = {name: value for name, value in own.values.items() if name.startswith(f"{metric}_")}
    assert {n: s.value for n, s in dataset.scores.items() if n in further} == further
    assert bool(further) == (METRICS[metric].scale == (0.0, 1.0))
