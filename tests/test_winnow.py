"""Pages in seven languages through `extract`, as a recipe runs it: what a person wants of them, not more."""

from collections.abc import Callable
from html import escape

import pytest
from articles import ARTICLES, PROGRAM, Article
from test_extract import Archive, run

from stages.main_text import main_text

CODECS = {
    "zh": "gb18030",
    "ja": "shift_jis",
    "ko": "euc-kr",
    "th": "tis-620",
    "ar": "windows-1256",
    "hi": "utf-16le",
    "ru": "koi8-r",
}


def links(texts: tuple[str, ...]) -> str:
    return "".join(f'<li><a href="/{at}">{text}</a></li>' for at, text in enumerate(texts))


def article(a: Article) -> str:
    """What should stay, as HTML."""
    items = "".join(f"<li>{part}</li>" for part in a.parts)
    head, *rows = a.table
    cells = "".join(f"<tr><td>{one}</td><td>{other}</td></tr>\n" for one, other in rows)
    return f"""<p>{a.first}</p>
<ul>{items}</ul>
<p>{a.second}</p>
<table><tr><th>{head[0]}</th><th>{head[1]}</th></tr>{cells}</table>
<pre><code>{escape(PROGRAM)}</code></pre>
<p>{a.last}</p>"""


def modern(a: Article) -> str:
    """HTML 5."""
    return f"""<header><a href="/">Example</a><nav><ul>{links(a.menu)}</ul></nav></header>
<div class="cookie-banner"><p>{a.cookies}</p><button>OK</button></div>
<main><article><h1>{a.title}</h1>{article(a)}</article></main>
<aside><ul>{links(a.related)}</ul></aside><footer><p>&copy; 2026 Example. {a.rights}</p></footer>"""


def boxes(a: Article) -> str:
    """Boxes, of which the classes tell what they are; end tags that may be left out are."""
    body = article(a).replace("</li>", "").replace("</td>", "").replace("</tr>", "").replace("</p>", "")
    return f"""<div id=header><ul class=menu>{links(a.menu)}</ul></div>
<div id=content class="post clearfix"><h1 class=entry-title>{a.title}</h1>
<div class=entry-content>{body}</div></div>
<div id=sidebar><div class=widget><ul>{links(a.related)}</ul></div></div>
<div id=footer>{a.rights}</div><div class=cookie-notice>{a.cookies}</div>"""


def old(a: Article) -> str:
    """Laid out by a table, as around 2000."""
    bar = " | ".join(f'<a href="/{at}">{text}</a>' for at, text in enumerate(a.menu))
    side = "<br>".join(f'<a href="/r{at}">{text}</a>' for at, text in enumerate(a.related))
    return f"""<table width=100%><tr><td colspan=2><font size=5>Example</font><br>{bar}
<tr><td width=150 valign=top>{side}<br><i>{a.cookies}</i><td valign=top><h2>{a.title}</h2>{article(a)}
<tr><td colspan=2 align=center><small>{a.rights}</small></table>"""


def page(body: str, a: Article, codec: str) -> bytes:
    head = f"<head><title>{a.title} - Example</title></head>"
    return f"<!DOCTYPE html><html>{head}<body>{body}</body></html>".encode(codec)


LOOKS: tuple[Callable[[Article], str], ...] = (modern, boxes, old)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """url -> text, by our own engine; every page in UTF-8, and in a charset of its language."""
    folder = tmp_path_factory.mktemp("winnow")
    archive = Archive()
    for language, a in ARTICLES.items():
        for look in LOOKS:
            for codec in ("utf-8", CODECS[language]):
                http = f"200 OK\nContent-Type: text/html; charset={codec}"
                archive.page(
                    f"http://{language}.example/{look.__name__}/{codec}", page(look(a), a, codec), http
                )
    archive.save(folder / "a.warc.gz")
    dataset = run(folder, "warcs = 'a.warc.gz'")
    assert set(dataset.read(["engine"])["engine"].to_pylist()) == {"winnow"}
    return {row["url"]: row["text"] for row in dataset.read(["url", "text"]).to_pylist()}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("language", ARTICLES)
def test_paragraphs_items_and_rows_stay_on_lines_of_their_own(found, language, look):
    a = ARTICLES[language]
    lines = found[f"http://{language}.example/{look.__name__}/utf-8"].split("\n")
    items = [f"- {part}" for part in a.parts]
    rows = [f"{one} | {other}" for one, other in a.table]
    wanted = [a.first, *items, a.second, *rows, a.last]
    assert [line for line in lines if line in wanted] == wanted


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("language", ARTICLES)
def test_what_is_around_goes(found, language, look):
    a = ARTICLES[language]
    text = found[f"http://{language}.example/{look.__name__}/utf-8"]
    # a column of a layout table, without a word that says what it is, may be taken for a part of the page
    around = (*a.menu, a.rights) if look is old else a.around
    assert not [each for each in around if each in text]


def test_titles_and_programs_stay_on_most_pages_and_programs_keep_their_lines(found):
    pages = [(text, ARTICLES[url[7:9]]) for url, text in found.items() if url.endswith("utf-8")]
    titles = [a.title in text.split("\n") for text, a in pages]
    programs = [f"\n{PROGRAM}\n" in text for text, _ in pages]
    assert programs == ["def" in text for text, _ in pages]
    assert min(sum(titles), sum(programs)) > len(pages) / 2, (sum(titles), sum(programs))


@pytest.mark.parametrize("language", ARTICLES)
def test_a_long_page_keeps_its_end(language):
    a = ARTICLES[language]
    told = [f"{at}. {paragraph}" for at in range(300) for paragraph in (a.first, a.second, a.last)]
    paragraphs = "".join(f"<p>{paragraph}</p>\n" for paragraph in told)
    lines = set(
        main_text(page(modern(a).replace("</article>", f"{paragraphs}</article>"), a, "utf-8")).split("\n")
    )
    assert sum(paragraph in lines for paragraph in told) / len(told) > 0.99


@pytest.mark.parametrize("language", ARTICLES)
def test_a_charset_changes_nothing(found, language):
    for look in LOOKS:
        url = f"http://{language}.example/{look.__name__}"
        assert found[f"{url}/{CODECS[language]}"] == found[f"{url}/utf-8"]
