"""JMMLU: MMLU's questions in Japanese and some more, one CSV per subject."""

import random

from lm_eval_ja.datasets.sources._forms import LETTER
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import SEED, Converted, Pair, numbered
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, csv_rows, read_text

_FOLDER = "https://raw.githubusercontent.com/nlp-waseda/JMMLU/762cbf192c9e4588b574d718f95afd64c96fcbf4/JMMLU"
FILES = tuple(
    Source(f"{_FOLDER}/{subject}.csv", licence="CC BY-SA 4.0", sha256=sha256, size=size)
    # The order decides the split (PROTOCOL section 7, last paragraph).
    for subject, size, sha256 in (
        ("econometrics", 44537, "637f4938d16ab853480925ba32c15d8821faf55fc06120eb19efbfc20abd5070"),
        ("human_aging", 33413, "8ff928a0b6f101ec73161488cccd9dd9739def03767a701cfbdfa34f07d3cffe"),
        ("high_school_psychology", 46258, "868711ac10c9e4eb39b1f116da600791b98246362062945e3335d2dbeb406f22"),
        ("professional_medicine", 113364, "d00f9ba70cbc51b895db743a260162bc04618471e7c53a41c8804ddcbb035554"),
        ("electrical_engineering", 24794, "31606d70a21677d9c89b52326ec0dc808d14608183cb0239e76426f25202deac"),
        ("college_mathematics", 23152, "c41878dff348d5531b81a77cf3a2d1479dcb3d976885fab4ab189b378b871d82"),
        ("medical_genetics", 22142, "16de20d455995243123c37914b75a452d060b49ba79d5008b1a6d9097d75f537"),
        ("formal_logic", 52192, "b2f1b18adb9bcbdecbb11b80087d2d1ebe54c2cb55337b0bd3251bee8d4c4fcc"),
        ("nutrition", 47214, "1ca3181b83d348becc17f833edf86f23ab2ac920abd967cbe47a19260b39576f"),
        ("prehistory", 44886, "ce5d447d22b77d2a4a5aab59cbe17953e9f98786db07210829c9205e2c61df92"),
        ("world_religions", 22140, "8c889d25f6ef0733dcb0b5ba44dab91a3ef4e8eb3d9d3ae2d6080457e76acad2"),
        ("japanese_history", 25755, "231e3dfe06db7dda37baf65b0ae2f54ccb843c6690138a317cd99ae9eb65afed"),
        ("high_school_geography", 32097, "c6ebcb356f6fad1ea19194c787e460a7e0806093c904fedfdee0b560b8849f5f"),
        ("international_law", 51744, "a3ef3d86c6767147901e201cabe255094ccadc28a9d9391e7f9bc3cc4099137b"),
        ("logical_fallacies", 52221, "98ac74e13fe552281155e6992c59d2a2ada1d9197e9a21966619319079aa9f75"),
        ("human_sexuality", 33926, "7e97c9371405ed8c40a3455730bdcb3eb626a116920217ae2a62bfe4148c960d"),
        ("philosophy", 47125, "e7fef1622d103d65ec9f9633f15ae8e884a67258a17645f2c54748252a11c4c9"),
        ("college_medicine", 74870, "404232dc8187a548188903a3c28073ce1b629e13b9637bec167279f9c70ca2ab"),
        (
            "professional_accounting",
            68354,
            "bc55390912cef55b7f0bdfd7e49a727bd032f09ba5b8fd7aeacfa568a20d41f0",
        ),
        (
            "high_school_mathematics",
            26829,
            "530acdf4799017fcd0b95f799041dcf80b713018a21a4b9f44518f81a604a234",
        ),
        ("global_facts", 17048, "df0337f3b7d2993f99dd0a58bac25e7be41f2e8ea032159b470e2f31cf254657"),
        ("business_ethics", 33126, "5c4f7b0f6c3ddc53f9a69fba77310247564de0e5fb4df7af8b6c65ba33c9cb50"),
        ("high_school_chemistry", 39750, "5f3c34254eb683bfbaa9fee304829f935e5256fe2f8bfb7005d3a4baad4ad033"),
        ("college_physics", 28077, "b6b2a99f6685b8df23b4e00a9ae6bb69166e53b1b8c8e43bf4f22a276ea3e226"),
        ("high_school_statistics", 81246, "08781ef77cbddb07c22664ac9ac2707e93c83a42ba87e66d73483a80d75164d3"),
        ("moral_disputes", 54615, "d1e546585e4e00a06c224370f2f26a591e64566c1ab2771203f438da7d81b7f3"),
        ("high_school_biology", 56151, "522dd23b3a6cfadbf31ead2bd7b27a029ce8d31a5b18724c3086ea1424cf15dc"),
        ("miscellaneous", 28079, "a6546d2b66ff95c02ae886e0f013cf9052d7456641b68fe70088de3b3e1bd32d"),
        (
            "high_school_macroeconomics",
            43587,
            "282fb7857079311d239d842050c213a9137ea3f4c3c94afb8e3ec9de78d98c65",
        ),
        (
            "high_school_computer_science",
            50527,
            "0daf11091874a29692bb47158e475c91e40fe3bcf83ba4fba2a8a7000913485f",
        ),
        ("abstract_algebra", 17064, "f5ffc6aacb7f0d47e0df7084960cadd329c437585954dfbda3c1780945c00e04"),
        ("elementary_mathematics", 26286, "789049401d72a70795b95442bca04ea616f7adde94481305acd305c2f349d0e7"),
        ("jurisprudence", 36848, "03255e953aff6a79b1935c44389297684acec782a8415a6109deff1abfe92e3d"),
        ("security_studies", 137003, "576f811c69923117ab5fb8036bdb81bcff709f75abfb006da5922cc4e446b22b"),
        ("high_school_physics", 56978, "e8c7a7768c4dde2db7dbf87619fd827f7dc1bdebcddb03ed0627b7c4d1014d2b"),
        (
            "college_computer_science",
            48134,
            "5a9979ef49de49f06ee48e5eae74debc85935e026ee1d896b8107cac60a272b3",
        ),
        ("public_relations", 30534, "863faaef55d3dd614e497d14ea6e1915cc1a7f84abd010a52b98331ab3b3230b"),
        ("management", 19892, "5596799bae7a9743126eafd828a3579b9e8d7264a8095f85bf0afd8cd94ae20f"),
        ("computer_security", 32441, "a8256e13ed0d5c71372992b9ec8cf54f3311bd71f4f6627e3ea617fadb3396c7"),
        ("college_chemistry", 22934, "104d0bd8d1581ab7aeaa5227016a1435b952abae0c8ca6123cadc8fcf25396fd"),
        ("anatomy", 27007, "55b6d3f04a0bfcbb8673477be004b3bb48fe4c23493f8a0d6a2d64df79f37722"),
        (
            "high_school_european_history",
            289509,
            "d2197d0e1df46b7eaa98e1922c20fd43a6c76db591eb23c2331a14299493f52b",
        ),
        ("machine_learning", 34908, "74fcba0fdcd400987ef42aa2c8c50c4bb9cad52352895276e9f5892425767683"),
        ("virology", 34932, "e4568515e1a8d2e566d747adaab43db63f51de70533db939eb925d28b452c38f"),
        (
            "high_school_microeconomics",
            49631,
            "88835e9ca427a951ed2587146e81754f7bbc12d69c5b485e92b96ae0a6efb5f6",
        ),
        ("astronomy", 46643, "65457f82cd75a82de0c57cfe2933c535023ec7b26e254fd8c12dfd38a38bbbb4"),
        ("world_history", 27747, "1e6824900650098f51f0e0625d6f7cb5b00dc2bb1d0874b11a7e9344d25a26cb"),
        ("college_biology", 49060, "b256cd94b9ddde78cbb683ab08fc0ae437e25cf9d1a9fef284aa8bce0e269ecf"),
        ("clinical_knowledge", 34622, "340ee3cf3a025c41925f0e570950faec7fe2a8f34e7877583ee2d61c9509f1cd"),
        ("conceptual_physics", 27439, "446e38c2b225d7417862bfe7ccb46a0e52af0279b51f832d2e6c8c34707a7bc4"),
        (
            "professional_psychology",
            60173,
            "a87297a0a25d59432deb4015ad14f2c54eecdf8cf2d30293e1e8a8a5499be8fe",
        ),
        ("sociology", 54288, "55092ab22dad8c80982fb84b7c6f6e2d33166ecefc0ab210e1b5c1ba8e74fcf9"),
        ("marketing", 43399, "fada76ca011b0936cede1c361af9a9961c4038ac59a5e50b7e264d13224fcb79"),
    )
)
_URLS = tuple(file.url for file in FILES)
_SHOTS = 16
"""Questions that dev and test each give to train."""

_COLUMNS = 6  # question, four choices, letter


def _convert(files: Files) -> Converted:
    dev: list[Pair] = []
    test: list[Pair] = []
    generator = random.Random(SEED)  # one for all subjects
    for url in _URLS:
        rows = csv_rows(read_text(files[url], encoding="utf-8-sig"), files[url], _COLUMNS)
        pairs = [
            (f"質問：{question}\n選択肢：A.{a},B.{b},C.{c},D.{d}", letter)
            for question, a, b, c, d, letter in rows
        ]
        generator.shuffle(pairs)
        dev += pairs[: len(pairs) // 2]
        test += pairs[len(pairs) // 2 :]
    generator.shuffle(dev)
    generator.shuffle(test)
    train = dev[:_SHOTS] + test[:_SHOTS]
    return numbered("jmmlu", train=train, dev=dev[_SHOTS:], test=test[_SHOTS:])


PROVIDES = Provides(
    files=FILES,
    datasets=(
        Dataset(
            "jmmlu",
            {
                "train": Expected(32, "72c3b8149ac2d2b8bc1a95e246e89be74eb2b630557d8472bddbf80e754249d3"),
                "dev": Expected(3524, "640845cbec5e603f24a71358ff61b366c118bde998c6943ea68e76c735a06751"),
                "test": Expected(3541, "abaf0a889e5c48e5a0ecade04cc442cee0ee69b27e3953fa71349270f1f7d276"),
            },
            LETTER,
            # 1.4.1 has another jmmlu, which is not known here.
            certificates={
                **certified("5a09be4c1784e49a3e5f75c9931e7c851d5a5b58666ccfa00c782812988d0e7c", "1.3.1"),
                **certified("105ba564dcc1bfa8b7faf9046bdfa11eec27cf955841368bdff22671920ae0a3", "1.4.1"),
            },
        ),
    ),
    units=(Unit("jmmlu", _URLS, (("jmmlu", "train"), ("jmmlu", "dev"), ("jmmlu", "test")), _convert),),
)
