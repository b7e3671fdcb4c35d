"""Pages around texts: five ways of building a site, and what is inside shops, forums, listings and spam."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tiny_grammar import Chance, Teller, Text, load
from tiny_texts import babble, junk_teller

Links = Sequence[tuple[str, str]]  # address, title


@dataclass(frozen=True)
class Site:
    """Who publishes: its look, its charset and where it says so (http, meta, both or nowhere)."""

    domain: str
    kind: str
    lang: str
    charset: str
    says: str

    @property
    def name(self) -> str:
        """The name in the header of every page."""
        return self.domain.removesuffix(".example").split(".")[-1].replace("-", " ").title()

    @property
    def words(self) -> Mapping[str, Any]:
        """Menu, cookie notice and so on in the language of the site."""
        words: Mapping[str, Any] = load(self.lang)["site"]
        return words


def blocks(text: Text) -> str:
    """The body of an article as HTML; runs of list items share one list, numbered where they are steps."""
    parts: list[str] = []
    many = "ol" if text.kind == "howto" else "ul"
    for (tag, _), told in zip(text.blocks, text.paragraphs(), strict=True):
        inner = f"<{tag}>{escape(told, quote=False)}</{tag}>"
        if tag == "li" and parts and parts[-1].endswith(f"</{many}>"):
            parts[-1] = parts[-1].removesuffix(f"</{many}>") + f"{inner}</{many}>"
        else:
            parts.append(f"<{many}>{inner}</{many}>" if tag == "li" else inner)
    return "\n".join(parts)


def links(items: Links) -> str:
    """A list of links."""
    return "".join(
        f'<li><a href="{escape(url)}">{escape(title, quote=False)}</a></li>' for url, title in items
    )


def comments(site: Site, key: str) -> str:
    """One or two comments below every fourth article, in English only."""
    teller = junk_teller(key)
    if site.lang != "en" or teller.chance.below(4):
        return ""
    told = [
        f'<div class="comment"><b>{teller.symbol("nick")}</b> {teller.symbol("answer")}</div>'
        for _ in range(teller.chance.between(1, 2))
    ]
    heading = f"<h3>{site.words['comments']}</h3>"
    return f'<section id="comments">{heading}{"".join(told)}</section>'


def page(site: Site, title: str, main: str, related: Links, key: str) -> str:
    """A whole page in the look of its site."""
    meta = {
        "both": f'<meta charset="{site.charset}">',
        "meta": f'<meta http-equiv="Content-Type" content="text/html; charset={site.charset}">',
    }.get(site.says, "")
    look: Callable[[Site, str, str, Links, str], str] = Chance("look", site.domain).pick(
        [semantic, boxes, table, newspaper, plain]
    )
    head = f"{meta}<title>{escape(title, quote=False)} | {site.name}</title>"
    return (
        f'<!DOCTYPE html>\n<html lang="{site.lang}"><head>{head}{HEAD}</head>\n'
        f"<body>{look(site, title, main, related, key)}</body></html>\n"
    )


HEAD = '<link rel="stylesheet" href="/s.css">'


def menu(site: Site) -> str:
    """The navigation entries."""
    return links([(f"/{n}" if n else "/", entry) for n, entry in enumerate(site.words["menu"])])


def semantic(site: Site, title: str, main: str, related: Links, key: str) -> str:
    """HTML 5 with its own elements."""
    words = site.words
    return f"""<header class="site-header"><a href="/">{site.name}</a>
<nav><ul>{menu(site)}</ul></nav></header>
<div class="cookie-banner" role="dialog"><p>{words["cookies"]}</p><button>{words["accept"]}</button></div>
<main><article><h1>{escape(title, quote=False)}</h1>
{main}</article>{comments(site, key)}</main>
<aside><h3>{words["related"]}</h3><ul>{links(related)}</ul></aside>
<footer>&copy; 2026 {site.name}. {words["rights"]}.</footer>"""


def boxes(site: Site, title: str, main: str, related: Links, key: str) -> str:
    """Nested divs whose classes tell what they are."""
    words = site.words
    return f"""<div id="wrap"><div class="header"><div class="logo">{site.name}</div>
<form class="search"><input name="q"><button>{words["search"]}</button></form>
<ul class="nav">{menu(site)}</ul></div>
<div class="content"><h1 class="title">{escape(title, quote=False)}</h1><div class="post-body">
{main}</div>{comments(site, key)}</div>
<div class="sidebar"><div class="widget"><h4>{words["related"]}</h4><ul>{links(related)}</ul></div></div>
<div class="footer">{site.name} &middot; {words["rights"]}</div></div>
<div id="cookie-notice">{words["cookies"]} <a href="#">{words["accept"]}</a></div>"""


def table(site: Site, title: str, main: str, related: Links, key: str) -> str:
    """The web of 1999: layout by table."""
    words = site.words
    side = "<br>".join(f'<a href="{escape(url)}">{escape(name, quote=False)}</a>' for url, name in related)
    bar = " | ".join(f'<a href="/{n}">{entry}</a>' for n, entry in enumerate(words["menu"]))
    return f"""<table width="100%" border="0"><tr><td colspan="2" bgcolor="#ccccff">
<font size="5">{site.name}</font><br>{bar}</td></tr>
<tr><td width="150" valign="top"><b>{words["related"]}</b><br>{side}</td>
<td valign="top"><h2>{escape(title, quote=False)}</h2>
{main}</td></tr><tr><td colspan="2" align="center"><small>{words["rights"]}</small></td></tr></table>"""


def newspaper(site: Site, title: str, main: str, related: Links, key: str) -> str:
    """A paper: byline, share buttons, teasers."""
    words = site.words
    day = Chance("day", key).between(1, 28)
    return f"""<nav class="topbar"><ul>{menu(site)}</ul></nav>
<script>track("view")</script><div id="header">{site.name}</div>
<main class="grid"><article class="story"><h1>{escape(title, quote=False)}</h1>
<div class="meta"><time>{day}.02.2026</time> <a href="#">Facebook</a> <a href="#">E-mail</a></div>
{main}</article>
<aside class="teasers"><h3>{words["related"]}</h3><ul>{links(related)}</ul></aside></main>
{comments(site, key)}
<div class="consent">{words["cookies"]} <button>{words["accept"]}</button></div>
<footer><ul>{menu(site)}</ul>{words["rights"]}</footer>"""


def plain(site: Site, title: str, main: str, related: Links, key: str) -> str:
    """A small blog with little around its text."""
    return f"""<header class="site-header"><h2>{site.name}</h2></header>
<article><h1>{escape(title, quote=False)}</h1>
{main}</article>{comments(site, key)}
<nav><ul>{links(related)}</ul></nav><footer>{site.words["rights"]}</footer>"""


def shop(teller: Teller, key: str) -> tuple[str, str]:
    """A product and its neighbours; returns title and main part."""
    title = teller.tidy("{brand!} {adjective} {item!} {color}, {size}")
    features = "".join(f"<li>{teller.tidy('{feature}')}</li>" for _ in range(5))
    grid = "".join(
        f'<div class="card"><a href="/p/{n}">{teller.tidy("{brand} {adjective} {item}")}</a>'
        f"<span>{teller.tidy('{price}')}</span></div>"
        for n in range(teller.chance.between(3, 5))
    )
    reviews = "".join(
        f'<div class="review">{teller.symbol("nick")}: {teller.symbol("review")}</div>'
        for _ in range(teller.chance.below(3))
    )
    return title, (
        f"<b class='badge'>{teller.symbol('badge')}</b><div class='price'>{teller.symbol('price')}</div>"
        f"<p>{teller.tidy('{blurb}')}</p><ul>{features}</ul>"
        f"<p>{teller.symbol('stock')} - {teller.symbol('sku')}</p>"
        f"<button>Add to cart</button><button>Add to wishlist</button>{reviews}"
        f"<h3>You may also like</h3>{grid}"
    )


def forum(teller: Teller, key: str) -> tuple[str, str]:
    """A thread of short posts."""
    title = teller.tidy("{ask}")
    posts = [teller.tidy("{hello} {ask}")]
    posts += [
        " ".join(teller.symbol("answer") for _ in range(teller.chance.between(1, 3)))
        for _ in range(teller.chance.between(3, 5))
    ]
    told = [
        f'<div class="post"><div class="user">{teller.symbol("nick")}<br>{teller.symbol("joined")}</div>'
        f'<div class="text">{escape(post, quote=False)}</div><small>{teller.symbol("sig")}</small>'
        f'<a href="#q{n}">Reply</a></div>'
        for n, post in enumerate(posts)
    ]
    return title, "\n".join(told)


def listing(teller: Teller, key: str) -> tuple[str, str]:
    """Many offers on one line each."""
    title = teller.tidy("{town!}: {10..990} results for {item!}")
    rows = "".join(f"<li>{teller.tidy('{deal}')}</li>" for _ in range(teller.chance.between(8, 14)))
    return title, f"<p>{teller.tidy('{sort}')}</p><ol>{rows}</ol><p>{teller.tidy('{sort}')}</p>"


def spam(teller: Teller, key: str) -> tuple[str, str]:
    """Keywords, again and again, and a farm of links."""
    title = teller.tidy("{bait!} - {push} - {bait}")
    paragraphs = [
        " ".join(teller.tidy("{stuffing}") for _ in range(teller.chance.between(2, 3))) for _ in range(3)
    ]
    names = load("sites")["names"]["spam"]
    farm = "".join(
        f'<a href="http://{teller.chance.pick(names)}.example/?id={n}">{teller.tidy("{bait} {push}")}</a> '
        for n in range(teller.chance.between(5, 10))
    )
    return title, "".join(f"<p>{escape(told, quote=False)}</p>" for told in paragraphs) + f"<div>{farm}</div>"


def gibberish(teller: Teller, key: str) -> tuple[str, str]:
    """Text that no one wrote."""
    lines = babble(key, 9)
    body = "".join(f"<p>{escape(' '.join(lines[n : n + 3]))}</p>" for n in range(0, 9, 3))
    return escape(lines[-1][:40]), body


def form(teller: Teller, key: str) -> tuple[str, str]:
    """Fields to fill in, or a search that found nothing."""
    title = teller.tidy("[Sign in|Register|Search|Reset password|Contact form]")
    fields = "".join(
        f'<label>{name}<input name="f{n}"></label>'
        for n, name in enumerate(teller.symbol("field") for _ in range(teller.chance.between(2, 6)))
    )
    notes = "".join(f"<p>{escape(teller.tidy('{form_note}'), quote=False)}</p>" for _ in range(4))
    return title, f'<form method="post" action="/send">{fields}<button>OK</button></form>{notes}'


def foreign_junk(lang: str, key: str) -> tuple[str, str]:
    """Shop talk in another language."""
    teller = Teller(Chance("junk", lang, key), lang, load(lang)["symbols"])
    told = [teller.sentence("junk") for _ in range(7)]
    return told[0], "".join(f"<div>{escape(line, quote=False)}</div>" for line in told)


JUNK: Mapping[str, Callable[[Teller, str], tuple[str, str]]] = {
    "shop": shop, "forum": forum, "listing": listing, "spam": spam, "gibberish": gibberish, "form": form,
}  # fmt: skip
