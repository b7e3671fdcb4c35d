"""URLs in one form: spellings that are equal, and those that are not, in every script."""

import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.canonical import Address, address, ascii_host

SCRIPTS = ["bücher", "例え", "пример", "مثال", "उदाहरण", "ตัวอย่าง", "예시", "παράδειγμα", "straße", "דוגמה"]


@pytest.mark.parametrize(
    "spelling",
    [
        "http://a.example/Page?q=1",
        "https://www.a.example/Page?q=1",
        "HTTPS://user:secret@A.Example.:443/Page?q=1#part",
        " \n//a.example/P%61ge?%71=1 ",
        "http:\\\\a.example\\Pa\nge?q=1",
        "http://%61.example:80/Page?q=1",
        "http://ａ．example/Page?q=1",
    ],
)
def test_spellings_of_one_address_are_equal(spelling):
    assert address(spelling).key == "a.example/Page?q=1"


@pytest.mark.parametrize(
    "other",
    [
        "http://b.a.example/Page?q=1",
        "http://a.example:8080/Page?q=1",
        "http://a.example/page?q=1",
        "http://a.example/Page",
        "http://a.example/Page?q=%26",
        "http://a.example/Page/?q=1",
    ],
)
def test_what_leads_elsewhere_is_not_equal(other):
    assert address(other).key != "a.example/Page?q=1"


def test_what_has_a_meaning_of_its_own_is_left_as_it_is():
    assert address("http://a.example/b%2fc/d?e=%26&f").rest == "/b%2Fc/d?e=%26&f"
    assert address("http://a.example?a b|{c}").rest == "/?a%20b%7C%7Bc%7D"
    assert address("http://a.example/100%").rest == address("http://a.example/100%25").rest
    assert address("http://[2001:DB8::1]:80/").key == "[2001:db8::1]/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "dns:a.example",
        "http://",
        "http:///page",
        "http://a b/",
        "http://a：b/",
        "mailto:a@b.example",
    ],
)
def test_what_leads_to_no_host_is_empty(url):
    assert address(url) == Address("", "")


@pytest.mark.parametrize("word", SCRIPTS)
def test_hosts_are_what_idna_says(word):
    idna = pytest.importorskip("idna")
    assert ascii_host(f"{word}.example") == idna.encode(f"{word}.example", uts46=True).decode()


@pytest.mark.parametrize("word", SCRIPTS)
def test_every_script_has_one_form_and_is_readable(word):
    url = f"https://{word}.example/{word}?{word}"
    host = ascii_host(f"{word}.example")
    found = address(url)
    assert found == address(f"https://{host}/{quote(word)}?{quote(word).lower()}")
    assert found.host.isascii() and found.rest.isascii()
    assert found.readable == unicodedata.normalize("NFC", f"{word}.example/{word}?{word}")
    assert address(f"https://{word.upper()}.example/").host in (host, ascii_host(f"{word.upper()}.example"))


def test_a_label_that_is_no_punycode_stays():
    assert address("http://xn--$$.example/").readable == "xn--$$.example/"
    assert address("http://xn--99999999999.example/").readable == "xn--99999999999.example/"


@given(st.text(), st.text())
def test_any_text_has_a_form_that_is_its_own_form(host, path):
    for url in (host, f"http://{host}/{path}", f"http://a.example/{path}"):
        found = address(url)
        again = address(f"http://{found.host}{found.rest}") if found.host else found
        assert found.rest.isascii()
        assert again.rest == found.rest
        assert isinstance(found.readable, str)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_escaped_and_bare_are_equal(path):
    """For characters without a meaning of their own."""
    plain = "".join(c for c in path if c.isalnum() or ord(c) > 160)
    assert address(f"http://a.example/{plain}") == address(f"http://a.example/{quote(plain, safe='')}")


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://www.a.example", "a.example"),
        ("http://a.example/?", "a.example"),
        ("http://a.example//", "a.example"),
        ("http://a.example:8080/b/", "a.example:8080/b"),
        ("http://a.example/b/?utm_source=x&q=1&UTM_Medium=y&fbclid=z", "a.example/b?q=1"),
        ("http://a.example/b?utm=1&q=/", "a.example/b?utm=1&q=/"),
        ("http://a.example/b/c.html#d", "a.example/b/c.html"),
        ("mailto:a@b.example", ""),
    ],
)
def test_links_to_one_page(url, page):
    assert address(url).page == page
