"""Acceptance of WebText: real dumps of Reddit, and the pages of a crawl by either route."""

import json
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
import truth
import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from reddit import dump, run, submission, write_index
from toy import contents

from stages.canonical import address
from stages.submissions import unescaped

REDDIT = truth.DATA / "reference/reddit"
CRAWL = truth.DATA / "crawl"
LINKS = "[steps.links]\nstage = 'links'\nfiles = FILES\n"
WHOLE = "[steps.pages]\nstage = 'extract'\nlinks = 'links'\nwarcs = CRAWL\n"
INDEXED = "[steps.found]\nstage = 'locate'\nlinks = 'links'\nindex = 'index'\n"
INDEXED += "[steps.pages]\nstage = 'extract'\naddresses = 'found'\nwarcs = CRAWL\n"


@pytest.mark.parametrize("suffix", [".zst", ".xz"])
def test_real_dumps(tmp_path, suffix):
    dataset = run(tmp_path, LINKS.replace("FILES", f"'{REDDIT}/*{suffix}'"))["links"]
    data = b""
    for path in sorted(REDDIT.glob("*.zst")):
        with path.open("rb") as file:
            data += zstandard.ZstdDecompressor(max_window_size=1 << 31).stream_reader(file).read()
    lines = [json.loads(line) for line in data.splitlines() if line.strip()]
    reasons = Counter(dataset.rejected()["reason"].to_pylist())
    kept = dataset.read()
    assert kept.num_rows + reasons.total() == len(lines)
    assert reasons["link:karma"] == sum(line["score"] < 3 for line in lines)
    outbound = {address(unescaped(line["url"])).page for line in lines if line["score"] >= 3}
    assert {*kept["page"].to_pylist()} <= outbound and kept.num_rows > 0.98 * len(outbound)
    assert not {reason for reason in reasons if reason.startswith("error:")}
    print(f"\n{suffix}: {kept.num_rows} links; {dict(reasons)}")


def test_both_routes_through_a_real_crawl(tmp_path):
    known = {line["url"]: line for line in truth.lines(CRAWL / "truth.jsonl.zst") if line["status"] == 200}
    urls = random.Random(4).sample(sorted(known), 300)
    dump(
        tmp_path / "RS_2017-01.zst",
        [submission(url.replace("&", "&amp;"), 3 + n) for n, url in enumerate(urls)],
    )
    write_index(tmp_path, sorted(CRAWL.glob("*.warc.gz")), group=100).rename(tmp_path / "index")
    made = {}
    for name, steps in {"whole": WHOLE, "indexed": INDEXED}.items():
        recipe = f"{LINKS}{steps}".replace("FILES", "'RS_2017-01.zst'").replace("CRAWL", f"'{CRAWL}'")
        dataset = run(tmp_path, recipe, name)["pages"]
        made[name] = contents(tmp_path / name / "pages/shards")
    assert made["whole"] == made["indexed"]
    pages = {address(url).page for url in dataset.read(["url"])["url"].to_pylist()}
    assert pages <= {address(url).page for url in urls}
    print(f"\n{len(urls)} links: {dataset.read().num_rows} documents of {len(pages)} pages by either route")
    assert len(pages) > 0.85 * len(urls)
