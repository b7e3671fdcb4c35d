"""Made-up documents of two kinds, in three scripts, and recipes that learn to tell them apart."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from corpus import Given, documents, write

from pipeline.executors import Executor, Inline
from pipeline.recipe import parse
from pipeline.runner import Run
from pipeline.schema import DOCUMENT
from stages.language import Language
from stages.quality import Quality
from stages.train_quality import TrainQuality

STAGES = {"given": Given, "language": Language, "train_quality": TrainQuality, "quality": Quality}
TAGGED = DOCUMENT.append(pa.field("language", pa.string()))

COMMON = {
    "en": "the of and to in a that it was for on with as by at from which this have not",
    "ru": "и в не на что он с как это по но из у за от так же бы для мы",
    "zh": "的 一 是 不 了 人 我 在 有 他 这 中 大 来 上 个 国 和 也 子",
}
GOOD = {
    "en": "empire theory century river treaty species novel king province harbour scholar music",
    "ru": "империя теория век река договор вид роман король область гавань учёный музыка",
    "zh": "帝 理 世 河 约 种 王 省 港 学 乐 史 论 诗",
}
CRAWL = {
    "en": "buy cheap click cart login cookies discount shipping subscribe menu deal checkout",
    "ru": "купить дешево клик корзина вход скидка доставка подписка меню акция заказ цена",
    "zh": "买 便 宜 点 击 购 物 车 登 录 优 惠 送 货 订 菜 单 价",
}


def text(draw, own, language, length):
    """Words in a row, about a third of them from `own`."""
    lists = [COMMON[language].split(), COMMON[language].split(), own[language].split()]
    chosen = [lists[which][draw.integers(len(lists[which]))] for which in draw.integers(0, 3, length)]
    return ("" if language == "zh" else " ").join(chosen)


def table(source, own, count, seed, domains=0, mixed=0.1):
    """Documents of one source; one in ten is of the other kind, so that nothing is certain."""
    draw, rows = np.random.default_rng(seed), []
    other = CRAWL if own is GOOD else GOOD
    for number in range(count):
        language = ("en", "en", "ru", "zh")[number % 4]
        words = other if draw.random() < mixed else own
        domain = f"site{draw.integers(domains)}.example" if domains else None
        row = {
            "id": f"{source}/{number % 3}/{number}",
            "source": source,
            "domain": domain,
            "language": language,
        }
        rows.append(row | {"text": text(draw, words, language, draw.integers(10, 90))})
    return documents(rows, TAGGED)


def write_sides(folder: Path, count: int = 240) -> None:
    """Two sources of good documents, and a crawl of 40 domains in three shards."""
    crawl = table("cc", CRAWL, count, seed=3, domains=40)
    books, wiki = table("books", GOOD, count // 3, seed=1), table("wiki", GOOD, count, seed=2)
    thirds = {f"crawl{n}": crawl.slice(n * count // 3, count // 3) for n in range(3)}
    write(folder, {"books": books, "wiki": wiki, **thirds})


SIDES = """
seed = 7
[steps.books]
stage = "given"
files = "in/books.parquet"
source = "books"
[steps.wiki]
stage = "given"
files = "in/wiki.parquet"
source = "wiki"
[steps.crawl]
stage = "given"
files = "in/crawl*.parquet"
source = "cc"
"""
CLASSIFIER = """
[steps.classifier]
stage = "train_quality"
positives = ["wiki", "books"]
crawl = "crawl"
"""


def run(folder: Path, steps: str, out: str = "out", executor: Executor | None = None, **how: str) -> Path:
    """Run a recipe over the files; returns the run's folder."""
    recipe = parse(steps.encode(), "prose", str(folder), STAGES)
    Run(recipe, str(folder / out), executor or Inline(), say=lambda line: None).run(**how)
    return folder / out
