"""The packaged catalog: what the modules in ``sources`` provide, put together."""

from functools import cache
from pathlib import Path

from lm_eval_ja.datasets.sources import AnswerForm, every_source
from lm_eval_ja.datasets.store import DATA, Catalog


@cache
def packaged() -> Catalog:
    """The catalog of all sources, put together once."""
    sources = every_source()
    datasets = [dataset for source in sources for dataset in source.datasets]
    names = {name for dataset in datasets for name in dataset.variants}
    return Catalog(
        sources={file.url: file for source in sources for file in source.files},
        units={unit.name: unit for source in sources for unit in source.units},
        digests={
            (dataset.name, split): expected
            for dataset in datasets
            for split, expected in dataset.digests.items()
        },
        variants={
            data: {
                name: {
                    dataset.name: getattr(dataset.variants[name], data)
                    for dataset in datasets
                    if name in dataset.variants
                }
                for name in names
            }
            for data in DATA
        },
        published={
            (dataset.name, split): published
            for dataset in datasets
            for split, published in dataset.published.items()
        },
        certificates={dataset.name: dataset.certificates for dataset in datasets if dataset.certificates},
        reference_metrics={
            dataset.name: dataset.reference_metrics for dataset in datasets if dataset.reference_metrics
        },
        answer_forms={dataset.name: dataset.answer_form for dataset in datasets if dataset.answer_form},
        sample_files=Path(__file__).parent / "sample",
    )


def answer_form(dataset: str) -> AnswerForm | None:
    """Look up the form that a dataset's answers have, None where none is defined."""
    return packaged().answer_forms.get(dataset)


def format_ok(dataset: str, prediction: str) -> bool | None:
    r"""Tell whether a prediction has the form that its dataset asks for.

    The form, not the truth, is checked, and nothing is stripped here. What the form is says the dataset's module in
    ``sources``. An empty prediction has no form. Source: PROTOCOL section 6, "Format check".

    Args:
        dataset: The dataset's name in the protocol, such as ``jcola-in-domain``.
        prediction: The normalized prediction.

    Returns:
        True or False, or None where the dataset has no defined form.

    Examples:
        >>> format_ok("jnli", "neutral"), format_ok("jnli", "neutralです"), format_ok("jsquad", "東京")
        (True, False, None)
        >>> format_ok("wiki_ner", "Visual Basic(固有物名) 東京(地名)")
        True
    """
    form = answer_form(dataset)
    return None if form is None else form(prediction)
