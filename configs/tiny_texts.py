"""What there is to read: articles of every genre, curated texts, near-copies, and the benchmark."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tiny_grammar import Chance, Teller, Text, jaccard, load, tell, teller_for, topic_symbols, topics

LANGUAGES = ("de", "fr", "es", "ru", "zh", "ja", "ko", "ar", "hi", "th")
LICENSE = "CC0-1.0"
FRESH = {"en": ("idea", "practice", "contrast", "tip"), "recipe": ("intro", "method", "serve")}


@dataclass(frozen=True)
class Curated:
    """A text of one of the curated sources."""

    id: str
    url: str
    text: Text

    def row(self) -> dict[str, str]:
        """The line of the JSONL file."""
        text = self.text
        return {
            "id": self.id, "title": text.title, "url": self.url, "text": text.body(), "lang": text.lang,
            "license": LICENSE,
        }  # fmt: skip


def article(genre: str, topic: str, key: str, lang: str = "en") -> Text:
    """One article; genre is a name under [genres] of the language's grammar, or "recipe"."""
    if genre == "recipe":
        recipes = load("en_recipes")
        return tell(teller_for("en", topic, key, recipes["symbols"]), genre, topic, recipes["genres"][genre])
    shape = load(lang)["genres"][genre if lang == "en" or genre == "story" else "article"]
    return tell(teller_for(lang, topic, key), genre, topic, shape)


def story(topic: str, key: str) -> Text:
    """A chapter: one hero, one topic, some weather."""
    stories = load("en_stories")
    cast = Chance("cast", key).pick(stories["casts"])
    teller = teller_for("en", topic, key, stories["symbols"], cast)
    return tell(teller, "story", topic, stories["genres"]["story"])


def handbook(key: str, chapters: int) -> Text:
    """One very long text: a chapter on each of many topics."""
    blocks: list[tuple[str, tuple[str, ...]]] = []
    for topic in Chance("handbook", key).shuffled(topics("en"))[:chapters]:
        chapter = article("handbook", topic, key)
        blocks += [("h2", (chapter.title,)), *chapter.blocks]
    return Text("handbook", "en", "", "A handbook of old trades", tuple(blocks))


def books() -> list[Curated]:
    """Four story books, one book of essays, and a short Chinese story book."""
    names = topics("en")
    chapters: list[tuple[str, Text]] = []
    for book in range(4):
        chapters += [(f"book-{book + 1}", story(names[6 * book + n], f"{book}/{n}")) for n in range(6)]
    chapters += [("book-5", article("memoir", names[24 + n], f"book/{n}")) for n in range(8)]
    chapters += [("book-6", article("story", topics("zh")[n], f"book/{n}", "zh")) for n in range(4)]
    ids = [f"{name}-{place:02}" for place, (name, _) in enumerate(chapters)]
    return [
        Curated(id_, f"https://books.example/{name}/{id_[-2:]}", text)
        for id_, (name, text) in zip(ids, chapters, strict=True)
    ]


def wiki() -> list[Curated]:
    """Three articles on each English topic, five or six in each other language."""
    texts = [article("wiki", topic, f"wiki/{n}") for n in range(3) for topic in topics("en")]
    texts += [
        article("wiki", topic, "wiki", lang)
        for place, lang in enumerate(LANGUAGES)
        for topic in topics(lang)[: 5 + place % 2]
    ]
    return [
        Curated(f"wiki-{n:03}", f"https://encyclopedia.example/wiki/{n:03}", text)
        for n, text in enumerate(texts)
    ]


def web(count: int = 120) -> list[Curated]:
    """Well-written pages that somebody recommended."""
    names = topics("en")
    genres = ["webtext", "webtext", "webtext", "howto", "webtext", "webtext", "recipe", "news"]
    texts = [article(genres[n % 8], names[n * 5 % len(names)], f"web/{n}") for n in range(count)]
    return [
        Curated(f"web-{n:03}", f"https://recommended.example/{n:03}", text) for n, text in enumerate(texts)
    ]


def benchmark() -> list[dict[str, str]]:
    """The examples as {task, id, text}; planted() says which of them the crawl contains."""
    lists = load("benchmark")
    rows = []
    for name, examples in lists.items():
        for n, text in enumerate(examples):
            asks = text.startswith(("Question", "问题"))
            rows.append({"task": "tiny_qa" if asks else "tiny_cloze", "id": f"{name}-{n:02}", "text": text})
    return rows


def planted() -> list[dict[str, str]]:
    """The twenty-two examples that are pasted into pages: ten, ten and the two Chinese ones."""
    take = {"long_questions": 10, "long_cloze": 10, "long_zh": 2}
    return [row for row in benchmark() if int(row["id"][-2:]) < take.get(row["id"][:-3], 0)]


def near_copy(text: Text, key: str) -> tuple[Text, float]:
    """The text with one or two sentences replaced, dropped or added, and its Jaccard to the original.

    Draws again until the word-5-gram Jaccard lies between 0.84 and 0.98.
    """
    for attempt in range(100):
        chance = Chance("near-copy", key, attempt)
        copy = text
        for _ in range(chance.pick([1, 1, 2])):
            copy = _edited(copy, chance, _fresh_teller(text, f"{key}/{attempt}"))
        similarity = jaccard(text.body(), copy.body())
        if 0.84 <= similarity <= 0.98:
            return copy, similarity
    raise ValueError(f"no near-copy of {text.title!r} with a Jaccard between 0.84 and 0.98")


def _fresh_teller(text: Text, key: str) -> Teller:
    if text.kind == "recipe":
        return teller_for("en", text.topic, key, load("en_recipes")["symbols"])
    return teller_for(text.lang, text.topic, key)


def _edited(text: Text, chance: Chance, teller: Teller) -> Text:
    place = chance.pick([n for n, (tag, told) in enumerate(text.blocks) if tag == "p" and len(told) > 1])
    tag, told = text.blocks[place]
    at = chance.below(len(told))
    kind = "recipe" if text.kind == "recipe" else text.lang
    fresh = teller.sentence(chance.pick(FRESH.get(kind, ("fact", "history", "number"))))
    edit = chance.pick(["replace", "drop", "add"])
    middle = {"replace": (fresh,), "drop": (), "add": (told[at], fresh)}[edit]
    block = (tag, (*told[:at], *middle, *told[at + 1 :]))
    return replace(text, blocks=(*text.blocks[:place], block, *text.blocks[place + 1 :]))


def junk_teller(key: str) -> Teller:
    """A teller that speaks like shops, forums, listings and spam; forums know one topic."""
    topic = Chance("junk", key).pick(topics("en"))
    return Teller(
        Chance("junk", topic, key), "junk", load("en")["symbols"], topic_symbols("en", topic),
        load("en_junk")["symbols"],
    )  # fmt: skip


def babble(key: str, sentences: int) -> list[str]:
    """Machine-made gibberish: half invented syllables, half real words in no order."""
    chance = Chance("babble", key)
    pool = [word for template in load("en")["symbols"]["idea"] for word in template.split()]
    onsets, vowels = (
        ("b", "dr", "f", "gl", "k", "m", "pl", "qu", "s", "tr", "v", "z"),
        ("a", "e", "i", "oo", "u"),
    )
    lines = []
    for _ in range(sentences):
        words = []
        for _ in range(chance.between(6, 22)):
            made = "".join(chance.pick(onsets) + chance.pick(vowels) for _ in range(chance.between(1, 4)))
            real = "".join(filter(str.isalpha, chance.pick(pool)))
            words.append(made if chance.below(3) else real or made)
        lines.append(" ".join(words).capitalize() + chance.pick([".", " ;", "", " |", "!!"]))
    return lines
