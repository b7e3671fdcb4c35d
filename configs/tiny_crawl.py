"""What the crawler met: some nine hundred fetches on 130 sites, and the truth about each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tiny_grammar import Chance, Text, load, topics
from tiny_html import JUNK, Links, Site, blocks, foreign_junk, page
from tiny_texts import (
    LANGUAGES,
    Curated,
    article,
    books,
    handbook,
    junk_teller,
    near_copy,
    planted,
    web,
    wiki,
)

GENRES = {"encyclopedia": 75, "news": 85, "howto": 60, "recipe": 45, "essay": 50}
JUNK_PAGES = {"shop": 70, "forum": 60, "listing": 42, "spam": 60, "gibberish": 28, "form": 28}
PAGES_PER_LANGUAGE, JUNK_PER_LANGUAGE = 14, 3
SAYS = ("both", "http", "meta", "http", "both", "meta", "http", "nowhere")
WRONG = {"ru": "utf-8", "fr": "windows-1251"}  # one page of each language whose HTTP header lies
GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")


@dataclass(frozen=True)
class Draft:
    """A page before it is put into its frame."""

    site: Site
    path: str
    kind: str
    title: str
    main: str
    text: Text | None = None
    truth: Mapping[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its address; whether http or https is a habit of the site."""
        scheme = Chance("scheme", self.site.domain).pick(["https", "https", "http"])
        return f"{scheme}://{self.site.domain}{self.path}"


@dataclass(frozen=True)
class Fetch:
    """One response: its HTTP status, content type, further headers and body, and what is true of it."""

    url: str
    status: str
    content_type: str
    body: bytes
    truth: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


def sites() -> dict[str, list[Site]]:
    """All sites by what they publish."""
    tables = load("sites")
    found = {}
    for kind, names in tables["names"].items():
        lang = kind if kind in LANGUAGES else "en"
        charsets = tables["charsets"][lang]
        found[kind] = [
            Site(
                f"{Chance('host', name).pick(['www.', 'www.', '', 'blog.'])}{name}.example", kind, lang,
                charsets[n % len(charsets)], SAYS[(n + len(kind)) % len(SAYS)],
            )
            for n, name in enumerate(names)
        ]  # fmt: skip
    return found


def drafted(site: Site, text: Text, number: int, **truth: object) -> Draft:
    """An article on a site; some sites make addresses from the title's first words, others just count."""
    words = "".join(c if c.isalnum() else " " for c in text.title.lower()).split()
    slug = "-".join(words[:3])
    named = slug.isascii() and Chance("slug", site.domain).below(2)
    path = f"/{slug}-{number}" if named else f"/{text.lang}/{number}.html"
    return Draft(site, path, text.kind, text.title, blocks(text), text, truth)


def english(places: dict[str, list[Site]]) -> list[Draft]:
    """Original English articles; each site keeps to one genre."""
    drafts = []
    for genre_place, (genre, count) in enumerate(GENRES.items()):
        homes = places["article"][genre_place :: len(GENRES)]
        for n in range(count):
            text = article(genre, topics("en")[n % len(topics("en"))], f"crawl/{n}")
            drafts.append(drafted(homes[n % len(homes)], text, 100 + n))
    return Chance("order").shuffled(drafts)


def foreign(places: dict[str, list[Site]], lang: str) -> list[Draft]:
    """Articles in another language and a little shop talk."""
    names, homes = topics(lang), places[lang]
    texts = [article("article", names[n % len(names)], f"crawl/{n}", lang) for n in range(PAGES_PER_LANGUAGE)]
    drafts = [drafted(homes[n % len(homes)], text, 100 + n) for n, text in enumerate(texts)]
    for n in range(JUNK_PER_LANGUAGE):
        title, main = foreign_junk(lang, str(n))
        drafts.append(Draft(homes[n % len(homes)], f"/shop/{n}.html", "shop", title, main))
    return drafts


def junk(places: dict[str, list[Site]]) -> list[Draft]:
    """Shops, forums, listings, spam, gibberish and forms."""
    drafts = []
    for kind, count in JUNK_PAGES.items():
        for n in range(count):
            key = f"{kind}/{n}"
            title, main = JUNK[kind](junk_teller(key), key)
            site = places[kind][n % len(places[kind])]
            drafts.append(Draft(site, f"/{kind}/{1000 + 7 * n}", kind, title, main))
    return drafts


def with_example(draft: Draft, row: Mapping[str, str]) -> Draft:
    """The page with a benchmark example pasted in: as a paragraph, or as one more post of a forum."""
    truth = {**draft.truth, "benchmark": row["id"]}
    if draft.text is None:
        post = f'\n<div class="post"><div class="text">{row["text"]}</div></div>'
        return replace(draft, main=draft.main + post, truth=truth)
    second = [n for n, (tag, _) in enumerate(draft.text.blocks) if tag == "p"][1]
    text = draft.text.with_block(second + 1, "p", row["text"])
    return replace(draft, text=text, main=blocks(text), truth=truth)


def contaminated(drafts: list[Draft], threads: list[Draft]) -> Iterator[Draft]:
    """The first pages in English and Chinese and four forum threads, each with one example."""
    queues = {
        "en": iter([*threads[:4], *(draft for draft in drafts if draft.site.lang == "en")]),
        "zh": (draft for draft in drafts if draft.site.lang == "zh"),
    }
    for row in planted():
        yield with_example(next(queues["zh" if row["id"].startswith("long_zh") else "en"]), row)


def copies(originals: list[Draft], homes: list[Site]) -> Iterator[Draft]:
    """Near-copies of crawl pages on other sites; every fifth has an exact copy too, every sixth only that."""
    for n, original in enumerate(originals):
        assert original.text is not None
        others = [site for site in homes if site.lang == original.site.lang and site != original.site]
        group = {"group": f"crawl-{n:02}", "copy_of": original.url}
        first, second = others[n % len(others)], others[(n + 1) % len(others)]
        if n % 6 != 5:
            copy, similarity = near_copy(original.text, f"crawl/{n}")
            yield drafted(first, copy, 500 + n, **group, jaccard=round(similarity, 4))
        if n % 5 == 0 or n % 6 == 5:
            yield drafted(second, original.text, 600 + n, **group, jaccard=1.0)


def curated_copies(homes: list[Site]) -> Iterator[Draft]:
    """Copies on the web of texts that the curated sources also hold."""
    chosen: list[Curated] = [*wiki()[3:93:9], *web()[5:120:15], *books()[2:24:9]]
    for n, original in enumerate(chosen):
        copy, similarity = near_copy(original.text, original.id)
        truth = {"group": f"curated-{n:02}", "copy_of": original.id, "jaccard": round(similarity, 4)}
        yield drafted(homes[5 * n % len(homes)], copy, 700 + n, **truth)


def drafts() -> list[Draft]:
    """Every HTML page that was fetched with success."""
    places = sites()
    told, rest = english(places), junk(places)
    others = {lang: foreign(places, lang) for lang in LANGUAGES}
    homes = [site for kind in ("article", *LANGUAGES) for site in places[kind]]
    originals = [*told[20:56], *(draft for lang in ("de", "ru", "zh") for draft in others[lang][4:6])]
    for n, draft in enumerate(originals):
        grouped = replace(draft, truth={"group": f"crawl-{n:02}"})
        pool = told if draft.site.lang == "en" else others[draft.site.lang]
        pool[pool.index(draft)] = grouped
    pages = [*told, *(draft for pages in others.values() for draft in pages), *rest]
    pasted = list(contaminated(pages, [draft for draft in rest if draft.kind == "forum"]))
    changed = {draft.url: draft for draft in pasted}
    pages = [changed.get(draft.url, draft) for draft in pages]
    pages += copies(originals, homes)
    pages += curated_copies(places["article"])
    pages.append(drafted(places["article"][1], handbook("long", 26), 900))
    return pages


def fetched(draft: Draft, related: Links, wrong: str | None) -> Fetch:
    """The response to the request for a page; characters that its charset lacks become references."""
    site = draft.site
    body = page(site, draft.title, draft.main, related, draft.url).encode(site.charset, "xmlcharrefreplace")
    said = wrong or (site.charset if site.says in ("http", "both") else None)
    truth: dict[str, object] = {"url": draft.url, "kind": draft.kind}
    if site.lang != "en":
        truth["lang"] = site.lang
    if site.charset != "utf-8":
        truth["charset"] = site.charset
    if wrong or site.says == "nowhere":
        truth["header"] = "wrong" if wrong else "missing"
    content_type = f"text/html; charset={said}" if said else "text/html"
    return Fetch(draft.url, "200 OK", content_type, body, {**truth, **draft.truth})


def pages() -> list[Fetch]:
    """All HTML pages, each with links to four others of its site."""
    all_drafts = drafts()
    by_site: dict[str, list[tuple[str, str]]] = {}
    for draft in all_drafts:
        by_site.setdefault(draft.site.domain, []).append((draft.path, draft.title[:50]))
    lies, responses = dict(WRONG), []
    for draft in all_drafts:
        related = Chance("related", draft.url).shuffled(by_site[draft.site.domain])[:2]
        lie = None if draft.truth or draft.site.charset == WRONG.get(draft.site.lang) else draft.site.lang
        responses.append(fetched(draft, related, lies.pop(lie, None) if lie else None))
    return responses


def others() -> list[Fetch]:
    """Everything that is no page: errors, redirects, files, plain text, empty bodies."""
    places = sites()
    homes = [*places["article"], *places["shop"], *places["forum"]]
    found = []
    for number, (kind, status, path, content_type, body) in enumerate(_files()):
        url = f"https://{homes[number * 7 % len(homes)].domain}{path}"
        truth: dict[str, object] = {"url": url, "kind": kind}
        if status != "200 OK":
            truth["status"] = int(status[:3])
        headers = (("Location", f"/new{path}"),) if kind == "redirect" else ()
        found.append(Fetch(url, status, content_type, body, truth, headers))
    return found


def _files() -> Iterator[tuple[str, str, str, str, bytes]]:
    """Kind, status, path, content type and body of each."""
    html, plain = "text/html", "text/plain; charset=utf-8"
    for n in range(16):
        text = f"<title>404 Not Found</title><h1>Not Found</h1><p>There is no page {n} on this server.</p>"
        yield "error", "404 Not Found", f"/missing/{n}", html, text.encode()
    for n in range(6):
        yield "error", "500 Internal Server Error", f"/broken/{n}", html, b"<h1>Internal Server Error</h1>"
    for n in range(20):
        yield "redirect", "301 Moved Permanently", f"/old/{n}", html, b"<a href='/'>Moved</a>"
    for n in range(8):
        told = article("news", topics("en")[3 * n], f"plain/{n}")
        yield "plain", "200 OK", f"/text/{n}.txt", plain, f"{told.title}\n\n{told.body()}\n".encode()
    for n in range(4):
        data = {"page": n, "items": [{"sku": 100 * n + k, "stock": k % 3} for k in range(9)]}
        yield "json", "200 OK", f"/api/{n}", "application/json", json.dumps(data).encode()
    for n in range(2):
        yield "pdf", "200 OK", f"/leaflet-{n}.pdf", "application/pdf", pdf(f"Opening hours {8 + n} to 17")
        yield "image", "200 OK", f"/dot-{n}.gif", "image/gif", GIF
        yield "empty", "200 OK", f"/blank/{n}", html, b""
    yield "plain", "200 OK", "/robots.txt", "text/plain", b"User-agent: *\nDisallow: /private/\n"


def pdf(line: str) -> bytes:
    """A PDF of one page and one line, just enough to be one."""
    stream = f"BT /F1 12 Tf 72 720 Td ({line}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
    ]  # fmt: skip
    told = "".join(f"{n} 0 obj\n{body}\nendobj\n" for n, body in enumerate(objects, start=1))
    return f"%PDF-1.4\n{told}trailer\n<< /Root 1 0 R >>\n%%EOF\n".encode("ascii")
