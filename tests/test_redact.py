"""Personal data out of texts: what is found in all scripts, what must stay, what a reader gets."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import toy
from corpus import documents
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import SENTENCES

from pipeline.dataset import Dataset
from pipeline.errors import RecipeError
from pipeline.recipe import parse
from stages import STAGES
from stages.placeholders import redacted
from stages.redact import Redact
from stages.text import clean

EVERY = Redact()
BRACKETS = Redact(placeholders={"phone": "[PHONE]", "email": "|||EMAIL|||", "national_id": "{id}"})


def process(texts, stage=EVERY, **columns):
    table = documents([{"id": f"a/b/{n}", "text": text} for n, text in enumerate(texts)])
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, pa.string()))
    return stage.process(table, stage.load("clean", {}))


def redact(text, stage=EVERY, **columns):
    """The redacted text."""
    return process([text], stage, **{name: [value] for name, value in columns.items()})["text"][0].as_py()


FOUND = {
    "zh": (
        "请联系张三，手机13812345678，身份证号码11010519491231002X，邮箱zhangsan@mail.host.cn。",
        "请联系张三，手机<PHONE>，身份证号码<NATIONAL_ID>，邮箱<EMAIL>。",
    ),
    "zh, full width": (
        "电话：０５７１－８７６５４３２１，卡号６２１２２６１２０２０１１３４５６７６",
        "电话：<PHONE>，卡号<CARD>",
    ),
    "zh, unannounced": ("有事找老王13912345678或者0571-87654321都行", "有事找老王<PHONE>或者<PHONE>都行"),
    "ja": (
        "お問い合わせは03-3210-1234まで。担当の携帯は090-1234-5678です。tanaka@mail.host.jpへ",
        "お問い合わせは<PHONE>まで。担当の携帯は<PHONE>です。<EMAIL>へ",
    ),
    "ko": (
        "궁금하시면 010-1234-5678로 연락 주세요. 주민등록번호는 900101-1234568입니다.",
        "궁금하시면 <PHONE>로 연락 주세요. 주민등록번호는 <NATIONAL_ID>입니다.",
    ),
    "th": (
        "ติดต่อคุณสมชาย โทร. 081-234-5678 เลขประจำตัวประชาชน 1-1018-00086-13-7",
        "ติดต่อคุณสมชาย โทร. <PHONE> เลขประจำตัวประชาชน <NATIONAL_ID>",
    ),
    "ar": (
        "للتواصل: هاتف ٠٢٢٧٣٦٤٥٦٧ أو \u200e+20 100 123 4567\u200f مساء",
        "للتواصل: هاتف <PHONE> أو \u200e<PHONE>\u200f مساء",
    ),
    "hi": ("संपर्क: राम, फोन ९८१०२३४५६७, या +91 98765 43210 पर", "संपर्क: राम, फोन <PHONE>, या <PHONE> पर"),
    "ru": (
        "Звоните 8 (495) 123-45-67 или пишите на ivan@почта.рф, ИНН 500100732259.",
        "Звоните <PHONE> или пишите на <EMAIL>, ИНН <NATIONAL_ID>.",
    ),
    "en": (
        "Mail Bob.Smith+web@mail.host.co.uk, bob (at) host [dot] org. Call 555-1234 or 555-1235.",
        "Mail <EMAIL>, <EMAIL>. Call <PHONE> or <PHONE>.",
    ),
    "en, network": (
        "From 93.184.216.34 and 2606:2800:220:1:248:1893:25c8:1946; the server 8.8.4.4 answers.",
        "From <IP_ADDRESS> and <IP_ADDRESS>; the server <IP_ADDRESS> answers.",
    ),
    "en, money": (
        "Card 4539 1488 0343 6467 until 12/27, account GB82 WEST 1234 5698 7654 32 at the bank.",
        "Card <CARD> until 12/27, account <IBAN> at the bank.",
    ),
    "de": (
        "Tel.: 030 / 1234567, Fax -68, IBAN DE89370400440532013000.",
        "Tel.: <PHONE>, Fax -68, IBAN <IBAN>.",
    ),
}

KEPT = (
    "On 12.05.2020 and 2019-12-31, in 1998-2004, from 10:30:15 to 11:45:00, and cost $1234567890.",
    "Version 1.2.3.4, Chrome/96.0.46.110, build 10.0.190.41, firmware 12.104.101.110, section 3.14.15.92.",
    "Hosts 192.168.1.100, 10.20.30.40, 172.16.254.254, 203.0.113.77, 224.100.100.251 and 2001:db8::1.",
    "ISBN 978-3-16-148410-0, 0-306-40615-2, ISSN 2049-3630, EAN 4006381333931, 10.1016/j.jad.2020.10.067.",
    "Order 13800138000 of 1,234,567 items weighs 12 345 678 kg; 100 000 000 people; 3.14159265358979.",
    "At 52.520008, 13.404954 or -33.865143, 151.209900; id=13912345678, #4539148803436467, a1b2c3d4e5f60718.",
    "Tables: 10 20 30 40 50 60 70, 2010 2011 2012 2013, 0.123456789, 1/2/3/4/5/6/7, 1-2-3-4-5-6-7-8.",
    "Mail me at bob@example.com or alice@host.test; use logo@2x.png, @handle, git@latest and a@b.",
    "Test card 4111 1111 1111 1111, numbers 4539 1488 0343 6468 and 1234567890123456, log 1700000000123.",
    "See http://a.example/p/4539148803436467/13812345678?t=+12125550123 for more.",
    "订单号：13800138000，QQ：13912345678，粤ICP备12345678号，股票代码600519，访问量13812345678次，2024年01月05日。",
    "商品番号 0312-34-5678、価格1234567円、平成30年12月31日、2018-2019年、電話帳は03-2018年版。",
    "사업자등록번호 123-45-67890, 가격 1234567원, 2018-2019년, 제2018-1234567호",
    "В 2018 году 1 234 567 человек, ОГРН 1027700132195, ИНН 7707083893, счёт 40702810900000012345.",
    "ราคา 1,234,567 บาท เมื่อวันที่ 12/05/2563 รหัส 1234567890123",
    "في ١٢/٠٥/٢٠٢٠ بلغ العدد ١٢٣٤٥٦٧٨ نسمة",
    "सन् २०१८-२०१९ में १२३४५६७८ लोग",
    "Steuer: 12 345 678 901, Az. 12 O 345/18, 0,14 € am 05.12.1972 00 UTC, § 10.11.12.13.",
    "He won 6-4 6-3 7-6 and ran 100 200 400 800 m; call 2019-2020 the year of 12345678 things.",
    *SENTENCES.values(),
)


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found(name):
    before, after = FOUND[name]
    assert redact(before) == after


@pytest.mark.parametrize("text", KEPT)
def test_what_stays(text):
    assert redact(text) == text
    assert redact(text, language="de") == text
    assert redact(text, language="ru") == text


def test_a_reader_finds_the_placeholders():
    text = "邮箱zhang@host.cn，电话：13812345678，服务器93.184.216.34，再见"
    (row,) = process([text]).to_pylist()
    data = row["text"].encode()
    found = [(each["kind"], each["rule"], data[each["start"] : each["end"]]) for each in row["redactions"]]
    assert found == [
        ("email", "address", b"<EMAIL>"),
        ("phone", "announced", b"<PHONE>"),
        ("ip", "v4", b"<IP_ADDRESS>"),
    ]
    counts = {name: value for name, value in row.items() if name.startswith("redacted_")}
    assert counts == {
        "redacted_email": 1,
        "redacted_ip": 1,
        "redacted_iban": 0,
        "redacted_card": 0,
        "redacted_national_id": 0,
        "redacted_phone": 1,
    }


def test_other_kinds_placeholders_regions_and_spellings():
    text = "Mail bob@host.com or ann (at) host.org, phone +1 212-555-7890, or 020 7946 0958 in London."
    mail = Redact(kinds=("email",), placeholders={"email": "email@example.com"}, spelt=False)
    assert redact(text, mail) == text.replace("bob@host.com", "email@example.com")
    assert process([text], mail).column_names[-2:] == ["redactions", "redacted_email"]
    without = "Mail <EMAIL> or <EMAIL>, phone <PHONE>, or 020 7946 0958 in London."
    assert redact(text) == without.replace(", or", ", or").replace("020 7946 0958", "<PHONE>")
    london = "Ask at 020 7946 0958 in London."
    assert redact(london) == london
    assert (
        redact(london, Redact(regions=("GB",)))
        == redact(london, language="en")
        == "Ask at <PHONE> in London."
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kinds": ("mail",)}, "kinds: no kind 'mail'; did you mean 'email'"),
        ({"kinds": ()}, "nothing would be replaced"),
        ({"regions": ("XX",)}, "'XX' is no country with phone numbers"),
        ({"placeholders": {"fax": "x"}}, "placeholders: no kind 'fax'"),
        ({"placeholders": {"email": ""}}, "must be one line in NFC"),
        ({"placeholders": {"email": " x"}}, "must be one line in NFC"),
        ({"placeholders": {"email": "\u0301x"}}, "must be one line in NFC"),
        ({"placeholders": {"email": "bob@host.com"}}, "looks like personal data itself"),
        ({"placeholders": {"phone": "Telephone"}}, "says that a number follows"),
        ({"placeholders": {"national_id": "[SSN]"}}, "says that a number follows"),
    ],
)
def test_fields_are_checked(fields, message):
    with pytest.raises(ValueError, match=message):
        Redact(**fields)


def test_reserved_values_may_be_placeholders():
    reserved = {"email": "email@example.com", "ip": "192.0.2.1", "card": "4111 1111 1111 1111"}
    stage = Redact(placeholders=reserved)
    text = "bob@host.com at 93.184.216.34 pays with 4539 1488 0343 6467."
    once = redact(text, stage)
    assert once == "email@example.com at 192.0.2.1 pays with 4111 1111 1111 1111."
    assert redact(once, stage) == once


PIECES = st.one_of(
    st.sampled_from(
        [
            *("bob@host.com", "+1 212-555-7890", "Tel: ", "电话", "13812345678", "93.184.216.34", "1234567"),
            *(
                "11010519491231002X",
                "4539 1488 0343 6467",
                "DE89 3704 0044 0532 0130 00",
                "(at)",
                "@",
                ".com",
            ),
            *(
                "\u0338",
                "\u0301",
                "2606:2800:220:1::",
                "，",
                " or ",
                "/",
                "\n",
                "(",
                ")",
                "+",
                "เบอร์",
                "CPF ",
                "x",
            ),
        ]
    ),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.text("0123456789 -./()+@:", max_size=16),
)
TEXTS = st.lists(PIECES, max_size=12).map("".join).map(clean)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from([EVERY, BRACKETS, Redact(kinds=("phone", "email"))]))
def test_twice_is_once_and_the_text_stays_tidy(text, stage):
    once = redact(text, stage)
    assert clean(once) == once
    assert redact(once, stage) == once


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=5), st.integers(0, 5))
def test_a_document_is_redacted_alike_in_any_batch(texts, start):
    whole = process(["bob@host.com", *texts])
    rows = whole.to_pylist()[1:]
    assert [row for text in texts for row in process([text]).drop_columns(["id"]).to_pylist()] == [
        {name: value for name, value in row.items() if name != "id"} for row in rows
    ]
    sliced = EVERY.process(documents([{"id": "x", "text": text} for text in texts]).slice(start), None)
    assert sliced["text"].to_pylist() == [row["text"] for row in rows][start:]


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_the_new_text_is_the_old_one_but_for_the_places(text):
    (row,) = process([text]).to_pylist()
    data, at, rest = row["text"].encode(), 0, text.encode()
    for place in row["redactions"]:
        kept = data[at : place["start"]]
        assert kept in rest
        rest = rest[rest.index(kept) + len(kept) :]
        at = place["end"]
    assert rest.endswith(data[at:])


def test_nothing_is_looked_for_in_null_texts():
    rows = documents([{"id": "a", "text": None}, {"id": "b", "text": ""}])
    out = EVERY.process(rows, None)
    assert out["text"].to_pylist() == [None, ""]
    assert out["redactions"].to_pylist() == [[], []]


STEPS = """
[steps.lines]
stage = "lines"
files = "in/a.txt"
[steps.clean]
stage = "redact"
documents = "lines"
{more}
"""


def run(tmp_path, out, more=""):
    (tmp_path / "in").mkdir(exist_ok=True)
    lines = [
        *(f"line {n}" for n in range(150)),
        "bob@host.com or ann@host.com",
        "Tel: 030 1234567, bob@host.com",
    ]
    (tmp_path / "in/a.txt").write_text("\n".join(lines))
    stages = {
        **toy.STAGES,
        **{name: STAGES[name] for name in ("redact", "refine", "decontaminate", "wordlist")},
    }
    recipe = parse(STEPS.format(more=more).encode(), "toy", str(tmp_path), stages)
    toy.Run(recipe, str(tmp_path / out), toy.Inline(), toy.Silent(), say=lambda line: None).run()
    return Dataset(str(tmp_path / out / "clean"))


def test_through_the_engine_with_counts_for_status(tmp_path):
    found = run(tmp_path, "out")
    assert found.read(["text"])["text"].to_pylist()[-2:] == ["<EMAIL> or <EMAIL>", "Tel: <PHONE>, <EMAIL>"]
    assert pc.sum(found.read(["redacted_email"])["redacted_email"]).as_py() == 3
    tables = EVERY.summary(found)
    kinds = {row["kind"]: (row["redactions"], row["documents"]) for row in tables["redacted, by kind"]}
    assert kinds["email"] == (3, 2)
    assert kinds["phone"] == (1, 1)
    assert kinds["card"] == (0, 0)
    assert tables["redactions, by language"] == [
        {"language": "und", "email": 3, "ip": 0, "iban": 0, "card": 0, "national_id": 0, "phone": 1}
    ]


def test_the_same_bytes_again_and_no_second_redaction_of_stored_places(tmp_path):
    run(tmp_path, "first")
    run(tmp_path, "second")
    assert toy.contents(tmp_path / "first") == toy.contents(tmp_path / "second")
    with pytest.raises(RecipeError, match="replaces the text, but 'clean' before it stored places"):
        run(tmp_path, "third", '[steps.again]\nstage = "redact"\ndocuments = "clean"')


def test_a_list_of_numbers_costs_no_more_than_its_length():
    text = "Tel: " + ", ".join(["1234567"] * 5_000)
    found = redacted(pa.array([text], pa.large_string()), lambda *_: [], {})
    assert found == {}
    assert np.char.count(redact(text), "<PHONE>") < 50


def test_commas_without_blanks_part_long_numbers():
    assert redact("电话:13812345678,13912345678,010-87654321。") == "电话:<PHONE>,<PHONE>,<PHONE>。"
    assert redact("11010519491231002X,11010519491231002X") == "<NATIONAL_ID>,<NATIONAL_ID>"
    assert redact("7,4539148803436467,2024\n4539148803436467,12/27") == "7,<CARD>,2024\n<CARD>,12/27"
    kept = "1,234,567,890 and 12,345678901 and 52.5200081,13.4049541 and 1234567,89"
    assert redact(kept) == kept


def test_an_address_before_a_colon():
    assert redact("from 2606:2800:220:1:248:1893:25c8:1946: seq=1") == "from <IP_ADDRESS>: seq=1"


@pytest.mark.parametrize("end", ["1,1", "1:1", "(1"])
def test_what_is_no_number_is_read_once(end):
    text = "1 " * 100_000 + end  # minutes, if each digit were the beginning of another try
    assert redact(text) == text


def test_a_list_of_addresses_is_redacted_to_its_end():
    text = "DNS: " + ", ".join(["8.8.4.4", "1.1.1.1"] * 100)
    once = redact(text)
    assert once == "DNS: " + ", ".join(["<IP_ADDRESS>"] * 200)
    assert redact(once) == once
