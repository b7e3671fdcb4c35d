"""What is deleted and what never is; damaged files; one run at a time."""

import os

import pytest

from pipeline import storage
from pipeline.errors import StaleRunError, StorageError
from pipeline.manifest import Identity, Manifest


@pytest.fixture
def step(tmp_path):
    """A step's folder, and a file outside of it that must stay."""
    folder = tmp_path / "run/step"
    for name in ("shards/a.parquet", "rejected/a.parquet", "tasks/shards/a.json", "log/tasks.jsonl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    for name in ("identity.json", "manifest.json", "card.md"):
        (folder / name).write_text("{}")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").write_text("precious")
    return folder


def precious(step):
    return (step.parent.parent / "outside/precious").read_text() == "precious"


def test_sweep_deletes_our_temporary_files_only(tmp_path):
    ours = storage.temporary(str(tmp_path / "step/shards/a.parquet"))
    others = [tmp_path / "step/film.mkv.partial", tmp_path / "step/.hidden.partial", tmp_path / "a.parquet"]
    for path in (ours, *others):
        open(path, "w").close()
    (tmp_path / "linked").symlink_to(tmp_path / "step")
    storage.sweep(str(tmp_path / "linked"))
    storage.sweep(str(tmp_path))
    assert not os.path.exists(ours) and all(path.exists() for path in others)


def test_sweep_does_not_follow_links(tmp_path):
    ours = storage.temporary(str(tmp_path / "elsewhere/a"))
    open(ours, "w").close()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/link").symlink_to(tmp_path / "elsewhere")
    storage.sweep(str(tmp_path / "run"))
    assert os.path.exists(ours)


def test_what_says_done_goes_first_and_the_identity_last(step, monkeypatch):
    gone = []
    unlink, rmtree = os.unlink, storage.shutil.rmtree
    monkeypatch.setattr(os, "unlink", lambda path, **how: (gone.append(str(path)), unlink(path, **how)))
    monkeypatch.setattr(storage.shutil, "rmtree", lambda path: (gone.append(path), rmtree(path)))
    storage.remove_step(str(step))
    top = [os.path.basename(path) for path in gone if os.path.dirname(path) == str(step)]
    assert top[:2] == ["manifest.json", "tasks"] and top[-1] == "identity.json"
    assert not step.exists()


def test_links_are_unlinked_not_followed(step):
    (step / "shards/link").symlink_to(step.parent.parent / "outside")
    (step / "linked").symlink_to(step.parent.parent / "outside")
    storage.remove_step(str(step))
    assert not step.exists() and precious(step)


def test_a_linked_step_is_only_unlinked(step):
    link = step.parent / "link"
    link.symlink_to(step.parent.parent / "outside")
    storage.remove_step(str(link))
    assert not link.is_symlink() and precious(step)


@pytest.mark.parametrize("load", [Identity.load, Manifest.load])
def test_damaged_and_foreign_records_are_named(tmp_path, load):
    name = "identity.json" if load is Identity.load else "manifest.json"
    assert load(str(tmp_path)) is None
    (tmp_path / name).write_text('{"stage": "extr')
    with pytest.raises(StorageError, match=rf"{name}.*damaged.*--redo"):
        load(str(tmp_path))
    (tmp_path / name).write_text('{"from": "the future"}')
    with pytest.raises(StaleRunError, match=rf"{name}.*another version"):
        load(str(tmp_path))


def test_a_failed_write_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*there is a file where a folder should be"):
        storage.write_bytes(str(tmp_path / "file/a"), b"data")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*folder"):
        storage.write_bytes(str(tmp_path / "folder"), b"data")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_folder_is_locked_until_its_run_ends(tmp_path):
    folder = str(tmp_path / "run")
    with storage.locked(folder), pytest.raises(StaleRunError, match="another run"), storage.locked(folder):
        pass
    with storage.locked(folder):
        pass


def test_what_the_system_hides_is_not_listed(tmp_path):
    for name in (
        "b.json",
        ".DS_Store",
        "._b.json",
        ".nfs0001.json",
        "a.json",
        ".a.json.host.0123abcd.partial",
    ):
        (tmp_path / name).write_text("")
    assert storage.names(str(tmp_path), ".json") == ["a", "b"] and storage.names(str(tmp_path / "none")) == []


def test_a_mapped_file_is_its_bytes(tmp_path):
    (tmp_path / "some").write_bytes(b"some bytes")
    (tmp_path / "none").write_bytes(b"")
    assert bytes(storage.mapped(str(tmp_path / "some"))) == b"some bytes"
    assert bytes(storage.mapped(str(tmp_path / "none"))) == b""
    with pytest.raises(StorageError, match=r"cannot read .*gone: .*--redo"):
        storage.mapped(str(tmp_path / "gone"))
