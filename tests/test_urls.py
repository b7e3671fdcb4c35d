"""Lists of domains, URLs, words and documents to forget, against plain twins; opt-outs; as a step."""

import gzip
import re
import tracemalloc

import pyarrow as pa
import pytest
import toy
from corpus import documents
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.recipe import parse
from stages import STAGES, block_lists
from stages.canonical import address
from stages.urls import Urls

WORDS = {  # a word, a URL that has it, one that has not
    "en": ("casino", "http://a.example/Best-CASINO_2024.html", "http://a.example/casinos"),
    "en, two": ("casino bonus", "http://a.example/casino/bonus", "http://a.example/bonus-casino"),
    "de": ("glücksspiel", "http://glücksspiel.example/", "http://a.example/glück"),
    "zh": ("成人", "http://a.example/%E6%88%90%E4%BA%BA%E5%BD%B1%E7%89%87", "http://a.example/人成"),
    "ja": ("カジノ", "http://xn--eckwd4c7cu47r.xn--bck1b9a5dre4c.example/?カジノ", "http://a.example/カジ"),
    "ko": ("도박", "http://a.example/온라인-도박", "http://a.example/도박장"),
    "th": ("สล็อต", "http://a.example/เว็บสล็อตออนไลน์", "http://a.example/สลต"),
    "ar": ("كازينو", "http://a.example/كازينو", "http://a.example/كاز"),
    "hi": ("जुआ", "http://a.example/ऑनलाइन-जुआ", "http://a.example/जु"),
    "ru": ("КАЗИНО", "http://казино.example/", "http://a.example/каз"),
}


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """A list in a file, plain or compressed by its name."""

    def list_of(entries, name="list.txt"):
        path = tmp_path_factory.mktemp("lists") / name
        data = entries if isinstance(entries, bytes) else "\n".join(entries).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return (str(path),)

    return list_of


def reasons(stage, urls, **columns):
    rows = [{"id": f"cc/file/{n}", "url": url, "text": "A text."} for n, url in enumerate(urls)]
    table = documents(rows)
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, pa.string()))
    return stage.process(table, stage.load("wanted", {}))["reason"].to_pylist()


def test_a_domain_stands_for_its_subdomains(write):
    entries = ["# ours", "bad.example", "  Evil.co.uk # twice", "", "bücher.example", "*.wild.example", ".ru"]
    stage = Urls(domains=write([*entries, "xn--e1afmkfd.example", "127.0.0.1\r"]))
    bad = ["http://bad.example", "https://www.a.bad.example:8080/x", "//EVIL.co.uk/", "http://x.ru/"]
    bad += [
        "http://xn--bcher-kva.example/",
        "http://www.пример.example/",
        "http://127.0.0.1/",
        "http://wild.example",
    ]
    good = [
        "http://notbad.example/",
        "http://example/",
        "http://bad.example.com/",
        "http://a.example/bad.example",
    ]
    good += ["http://co.uk/", "http://ru.example/", None, "", "bad.example", "http://1.127.0.0.1.example"]
    assert reasons(stage, bad) == ["url:domain"] * len(bad)
    assert reasons(stage, good) == [None] * len(good)


def test_urls_are_equal_by_any_spelling_and_prefixes_by_a_star(write):
    entries = ["http://a.example/page?b=c", "a.example/größe", "https://b.example/blog/*", "//c.example*"]
    stage = Urls(urls=write(entries, "urls.txt.gz"))
    bad = ["https://www.a.example/page?b=c#d", "http://a.example/gr%C3%B6%C3%9Fe", "http://b.example/blog/"]
    bad += ["http://b.example/blog/2024/?a", "http://c.example", "http://c.example/any"]
    good = [
        "http://a.example/page?b=d",
        "http://a.example/page?b=cd",
        "http://a.example/gr",
        "http://b.example/blog",
    ]
    good += ["http://c.example.com/", "http://b.example/bloggers", "http://d.c.example/", None]
    assert reasons(stage, bad) == ["url:exact"] * len(bad)
    assert reasons(stage, good) == [None] * len(good)


@pytest.mark.parametrize("script", WORDS)
def test_words_of_all_scripts(write, script):
    word, bad, good = WORDS[script]
    assert reasons(Urls(words=write([word])), [bad, good, None]) == ["url:word", None, None]


def test_soft_words_count_when_they_are_different(write):
    stage = Urls(soft_words=write(["free", "xxx", "成人"]), least_soft=2)
    urls = [
        "http://free.example/free",
        "http://free.example/xxx",
        "http://xxx.example/成人影片",
        "http://a.example/",
    ]
    assert reasons(stage, urls) == [None, "url:word", "url:word", None]
    assert reasons(Urls(soft_words=stage.soft_words, least_soft=3), urls) == [None] * 4


def test_documents_to_forget_by_id_and_by_url(write):
    stage = Urls(forget=write(["cc/file/1", "https://a.example/me", "http://b.example/~me/*", "# cc/file/3"]))
    urls = ["http://www.a.example/me#top", None, "http://b.example/%7Eme/photo", "http://a.example/you"]
    assert reasons(stage, urls) == ["url:forget", "url:forget", "url:forget", None]


def test_opt_outs_to_respect():
    asked = ["noai,noindex", "noindex", "tdm-reservation", "ccbot:noai", None, "noaim"]
    urls = ["http://a.example/"] * len(asked)
    optout = ["optout:noai", None, "optout:tdm-reservation", None, None, None]
    assert reasons(Urls(), urls, robots=asked) == optout
    strict = Urls(respect=("noindex", "ccbot:noai"))
    assert reasons(strict, urls, robots=asked) == ["optout:noindex"] * 2 + [
        None,
        "optout:ccbot:noai",
        None,
        None,
    ]
    assert reasons(Urls(), urls) == [None] * len(urls)


def test_the_first_rule_gives_the_reason(write):
    everything = {
        "domains": ["a.example"],
        "urls": ["a.example/x"],
        "words": ["x"],
        "forget": ["//a.example/x"],
    }
    order = [
        ("forget", "url:forget"),
        ("domains", "url:domain"),
        ("urls", "url:exact"),
        ("words", "url:word"),
    ]
    lists = {name: write(entries) for name, entries in everything.items()}
    for name, reason in order:
        assert reasons(Urls(**lists), ["http://a.example/x"], robots=["noai"]) == [reason]
        del lists[name]
    assert reasons(Urls(), ["http://a.example/x"], robots=["noai"]) == ["optout:noai"]


# The hosts and paths of which there are many that are equal, begin alike, or lie below one another.
LABELS = st.sampled_from(["a", "b", "example", "bücher", "例え", "xn--bcher-kva", "www", "co"])
HOSTS = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
PATHS = st.lists(st.sampled_from(["", "a", "b", "ö", "%C3%B6", "例"]), max_size=3).map("/".join)


@given(st.lists(HOSTS, max_size=5), st.lists(HOSTS, min_size=1, max_size=9))
@settings(deadline=None)
def test_domains_against_a_plain_twin(write, entries, hosts):
    known = {address(f"//{entry}").host for entry in entries}

    def twin(host):
        return any(host == entry or host.endswith(f".{entry}") for entry in known)

    places = [address(f"http://{host}/") for host in hosts]
    found = block_lists.read_domains(write(entries)).holds(places)
    assert found.tolist() == [twin(place.host) for place in places]


@given(
    st.lists(st.tuples(HOSTS, PATHS, st.booleans()), max_size=5),
    st.lists(st.tuples(HOSTS, PATHS), max_size=9),
)
@settings(deadline=None, max_examples=60)
def test_urls_against_a_plain_twin(write, entries, urls):
    listed = [(address(f"//{host}/{path}").key, star) for host, path, star in entries]

    def twin(key):
        return any(key == entry or (star and key.startswith(entry)) for entry, star in listed)

    places = [address(f"http://{host}/{path}") for host, path in urls]
    lines = [f"{host}/{path}" + "*" * star for host, path, star in entries]
    found = block_lists.read_urls(write(lines)).holds(places)
    assert found.tolist() == [twin(place.key) for place in places]


TOKENS = st.lists(st.sampled_from(["a", "b", "ab", "ß", "казино", "7"]), min_size=1, max_size=3)


@given(st.lists(TOKENS, max_size=4), st.lists(TOKENS, max_size=6))
@settings(deadline=None)
def test_words_against_a_plain_twin(write, entries, texts):
    known = {tuple(entry) for entry in entries}

    def twin(text):
        runs = {tuple(text[a:b]) for b in range(len(text) + 1) for a in range(b)}
        return len(runs & known)

    found = block_lists.read_words(write([" ".join(entry) for entry in entries])).counts(
        ["/".join(text).upper() if text != ["ß"] else "ß" for text in texts if "ß" not in text]
    )
    assert found.tolist() == [twin(text) for text in texts if "ß" not in text]


def test_what_is_to_be_forgotten_is_an_id_a_url_or_a_domain(write):
    entries = ["cc/a/12", "bücher.example", "例え.example/頁/1", "*.ru.example", "b.example/2024/10", ".рф"]
    listed = block_lists.read_forgotten(write(entries))
    urls = {
        "https://shop.xn--bcher-kva.example/x": True,
        "http://www.xn--r8jz45g.example/%E9%A0%81/1": True,
        "http://xn--r8jz45g.example/%E9%A0%81/2": False,
        "http://a.ru.example/": True,
        "https://b.example/2024/10": True,
        "https://b.example/2024/11": False,
        "http://пример.рф/": True,
        "": False,
    }
    ids = pa.array([f"cc/b/{n}" for n in range(len(urls))])
    assert listed.holds(ids, [address(url) for url in urls]).tolist() == list(urls.values())
    ids = pa.array(["cc/a/12", "cc/a/1", "b.example/2024/10", None])
    assert listed.holds(ids, [address("")] * 4).tolist() == [True, False, True, False]


def test_a_long_list_takes_eight_bytes_an_entry(write):
    path = write([f"site{n}.example" for n in range(200_000)])
    tracemalloc.start()
    found = block_lists.read_domains(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.keys.nbytes == 8 * 200_000
    assert most < 40 * 200_000
    assert found.holds(
        [address("http://a.site199999.example"), address("http://site200000.example")]
    ).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("field", "entries", "message"),
    [
        (
            "domains",
            ["a.example", "https://b.example/"],
            "line 2: 'https://b.example/' is no domain; write one",
        ),
        ("domains", ["0.0.0.0 b.example"], "line 1: '0.0.0.0 b.example' is no domain"),
        ("domains", ["# a", "", "porn"], "line 3: 'porn' has no full stop; .* write .porn"),
        ("urls", ["word"], "line 1: 'word' is no URL; write one a line"),
        ("urls", ["http://a.example/ http://b.example/"], "has a blank in it, .*one URL a line"),
        ("forget", ["https://a.example/my page"], "line 1: 'https://a.example/my page' has a blank .* %20"),
        ("words", ["a", "***"], "line 2: '...' has neither letters nor digits"),
        ("forget", ["a.example", "b/c"], "line 2: 'b/c' is neither an id, such as .* URL, .* domain, such"),
        ("forget", ["cc"], "line 1: 'cc' has no full stop; .* write .cc"),
        ("forget", ["https://a b.example/"], "line 1: 'https://a b.example/' is no URL"),
        ("words", b"a\nb\n\xff\xfe\n", "line 3 is not UTF-8; save the list as UTF-8"),
    ],
)
def test_a_bad_list_is_refused_before_anything_runs(write, field, entries, message):
    with pytest.raises(InputError, match=r"list\.txt.*" + message.replace("'...'", re.escape("'***'"))):
        Urls(**{field: write(entries)}).check_files()


def test_a_broken_file_is_refused(write, tmp_path):
    whole = gzip.compress(b"a.example\nb.example\n" * 1000)
    (tmp_path / "cut.gz").write_bytes(whole[:-9])
    with pytest.raises(InputError, match=r"cut\.gz: the file is truncated after line \d+; get it again"):
        Urls(domains=(str(tmp_path / "cut.gz"),)).check_files()
    with pytest.raises(InputError, match="no file matches"):
        Urls(domains=(str(tmp_path / "none.txt"),)).check_files()


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(write):
    stage = Urls(domains=write(b"\xef\xbb\xbfbad.example\r\nworse.example\r\n", "list.txt.gz"))
    assert reasons(stage, ["http://bad.example", "http://worse.example"]) == ["url:domain"] * 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"least_soft": 0}, "least_soft = 0 must be at least 1"),
        ({"respect": ("no ai",)}, "'no ai' is no opt-out"),
        ({"respect": ()}, "has no rule"),
    ],
)
def test_fields_are_checked(fields, message):
    with pytest.raises(ValueError, match=message):
        Urls(**fields)


def test_through_the_engine_and_a_changed_list_is_another_step(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("\n".join(f"line {n}" for n in range(300)))
    (tmp_path / "urls.txt").write_text("http://a.example/7\n")
    (tmp_path / "forget.txt").write_text("toy/a/9\n")
    text = """
[steps.lines]
stage = "lines"
files = "in/a.txt"
[steps.wanted]
stage = "urls"
documents = "lines"
urls = "urls.txt"
forget = ["forget.txt"]
"""
    found = []
    for out in ("first", "again", "other"):
        recipe = parse(text.encode(), "toy", str(tmp_path), {**toy.STAGES, "urls": STAGES["urls"]})
        toy.Run(recipe, str(tmp_path / out), toy.Inline(), toy.Silent(), say=lambda line: None).run()
        found.append(toy.contents(tmp_path / out))
        wanted = Dataset(str(tmp_path / out / "wanted"))
        assert wanted.rejected()["reason"].to_pylist() == ["url:exact", "url:forget"]
        assert wanted.rejected()["id"].to_pylist()[1] == "toy/a/9"
        if out == "again":
            (tmp_path / "urls.txt").write_text("http://a.example/8\n")
    assert found[0] == found[1]
    assert found[1]["wanted/identity.json"] != found[2]["wanted/identity.json"]
