"""The command line: what it does, what it prints, and how it ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equipoise.cli import main
from equipoise.runs import Run

SMALL = ["--backbone", "ResNet(depth=8, width=8)", "--epochs", "2", "--device", "cpu"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run made by the command line; not to be changed."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    assert main(["fit", "digits", "--ratio", "10", "--out", str(out), *SMALL]) == 0
    return out


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A small table with a class in `target`."""
    random = np.random.default_rng(0)
    y = np.repeat(["no", "yes"], [70, 20])
    frame = pd.DataFrame({"a": random.normal(size=90) + (y == "yes"), "b": y, "target": y})
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def table_run(table, tmp_path_factory) -> Path:
    """A run on that table."""
    out = tmp_path_factory.mktemp("runs") / "table"
    assert main(["fit", str(table), "--out", str(out), "--epochs", "3", "--device", "cpu"]) == 0
    return out


def test_fit_prints_machine_readable_results_that_equal_the_run(tmp_path, capsys):
    """With --json standard output is JSON alone, the metrics of the run."""
    out = tmp_path / "run"
    assert main(["fit", "digits", "--ratio", "10", "--out", str(out), "--json", *SMALL]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["test"] == Run.open(out).read_json("metrics.json")["test"]


def test_fit_tells_every_choice(tmp_path, capsys):
    """Each automatic choice is printed with its reason; a dry run writes nothing."""
    assert main(["fit", "digits", "--out", str(tmp_path / "run"), "--dry-run"]) == 0
    told = capsys.readouterr().err
    for field in ("backbone", "augmentation", "optimizer", "batch_size", "epochs", "precision"):
        assert f"{field} = " in told
    assert not (tmp_path / "run").exists()


def test_config_file_stands_below_flags(tmp_path, capsys):
    """TOML gives values; the command line comes before it; an unknown key is refused."""
    config = tmp_path / "fit.toml"
    config.write_text('[fit]\nepochs = 7\nbackbone = "ResNet(depth=14)"\n')
    arguments = ["--config", str(config), "fit", "digits", "--dry-run", "--epochs", "3"]
    assert main(arguments) == 0
    assert "epochs = " not in capsys.readouterr().err
    config.write_text("[fit]\nepoch = 7\n")
    assert main(["--config", str(config), "fit", "digits", "--dry-run"]) == 2
    assert "epoch" in capsys.readouterr().err


def test_evaluate_counts_its_looks_at_the_test_set(run, capsys):
    """Each evaluation of the sealed test set is counted in config.toml."""
    before = Run.open(run).config["test"]["looks"]
    assert main(["evaluate", str(run), "--prior", "balanced", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert Run.open(run).config["test"]["looks"] == before + 1
    stored = Run.open(run).read_json("metrics.json")["test"]["balanced"]
    assert found["overall"] == stored["overall"]


def test_evaluate_on_other_data_measures_the_model_on_it(table_run, table, capsys):
    """Labelled data of the same form is read as the run's data was."""
    assert main(["evaluate", str(table_run), str(table), "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 90


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_predictions_are_the_classifiers(table_run, table, tmp_path, suffix):
    """Written predictions are those of the loaded classifier, with probabilities of sum one."""
    from equipoise import load_run  # noqa: PLC0415

    out = tmp_path / f"predictions{suffix}"
    assert main(["predict", str(table_run), str(table), "--out", str(out), "--device", "cpu"]) == 0
    frame = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    X = pd.read_csv(table).drop(columns="target")
    assert frame["predicted"].tolist() == load_run(table_run, "cpu").predict(X).tolist()
    proba = frame[["probability of no", "probability of yes"]].to_numpy()
    assert np.allclose(proba.sum(axis=1), 1)


def test_rows_without_labels_can_be_predicted(table_run, table, tmp_path):
    """New rows need no label column."""
    new = tmp_path / "new.csv"
    pd.read_csv(table).drop(columns="target").head(7).to_csv(new, index=False)
    out = tmp_path / "out.csv"
    assert main(["predict", str(table_run), str(new), "--out", str(out), "--device", "cpu"]) == 0
    assert len(pd.read_csv(out)) == 7


def test_report_writes_one_file(run, tmp_path):
    """The report is a file of its own that names the run's classes."""
    out = tmp_path / "report.html"
    assert main(["report", str(run), "--out", str(out)]) == 0
    assert "balanced accuracy" in out.read_text(encoding="utf-8").lower()


def test_subsample_keeps_its_limits(tmp_path, capsys):
    """`--largest` and `--examples` bound the sizes."""
    command = ["data", "subsample", "digits", "--ratio", "5", "--json", "--out"]
    assert main([*command, str(tmp_path / "a.json"), "--largest", "50"]) == 0
    assert max(json.loads(capsys.readouterr().out)["counts"].values()) == 50
    assert main([*command, str(tmp_path / "b.json"), "--examples", "100"]) == 0
    assert 90 < sum(json.loads(capsys.readouterr().out)["counts"].values()) <= 100
    assert main([*command, str(tmp_path / "c.json"), "--examples", "0"]) == 2


def test_subsample_index_can_be_fitted_and_belongs_to_its_data(tmp_path, capsys):
    """`data subsample` writes an index that `fit --index` uses; other data refuses it."""
    index = tmp_path / "index.json"
    assert main(["data", "subsample", "digits", "--ratio", "5", "--out", str(index), "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert max(counts.values()) / min(counts.values()) == pytest.approx(5, rel=0.1)
    fit = ["fit", "digits", "--index", str(index), "--out", str(tmp_path / "run"), *SMALL]
    assert main(fit) == 0
    data = Run.open(tmp_path / "run").config["data"]
    used = np.add(data["counts_train"], data["counts_validation"])
    assert used.max() <= max(counts.values())
    fashion = tmp_path / "other.csv"
    fashion.write_text("a,target\n1,x\n2,x\n3,y\n4,y\n")
    assert main(["fit", str(fashion), "--index", str(index), "--dry-run"]) == 2


def test_data_commands_give_json(capsys):
    """`data list` and `data describe` can be read by machines."""
    assert main(["data", "list", "--json"]) == 0
    assert "digits" in [entry["name"] for entry in json.loads(capsys.readouterr().out)]
    assert main(["data", "describe", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 1797


def test_describe_shows_people_what_is_wrong(tmp_path, capsys):
    """Constant columns, missing values and duplicates are in the printed description."""
    path = tmp_path / "odd.csv"
    path.write_text("a,same,target\n1,0,x\n1,0,x\n2,0,y\n,0,y\n")
    assert main(["data", "describe", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "constant" in shown
    assert "duplicates" in shown
    assert "(largest over smallest class)" in shown  # there are no parts yet


def test_ctrl_c_ends_cleanly_and_the_run_can_be_resumed(tmp_path):
    """SIGINT gives status 130 and no traceback; --resume then finishes the run."""
    out = tmp_path / "run"
    command = [
        sys.executable, "-m", "equipoise", "fit", "digits", "--ratio", "10", "--out", str(out),
        "--backbone", "ResNet(depth=8, width=8)", "--epochs", "20", "--device", "cpu",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        env=environment,
        # What was started in the background, as this process may have been, ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not (out / "history.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.05)
    told = _interrupted(process)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert re.search(r"Go on from epoch \d+ of 20 with .* --resume", " ".join(told.split()))
    assert subprocess.run([*command, "--resume"], env=environment, check=False).returncode == 0
    assert Run.open(out).done


def _interrupted(process: subprocess.Popen[bytes]) -> str:
    """Press Ctrl-C until it is heard: Python drops one that arrives while an object dies."""
    while True:
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=60)[1].decode()
        except subprocess.TimeoutExpired:
            continue


def _folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def _png(size: int = 8) -> bytes:
    from io import BytesIO  # noqa: PLC0415

    from PIL import Image  # noqa: PLC0415

    buffer = BytesIO()
    Image.new("L", (size, size), 100).save(buffer, "PNG")
    return buffer.getvalue()


def _case(name: str, root: Path) -> str:  # noqa: C901, PLR0911 (a list of cases)
    """Make bad input of one kind and return the DATA argument that names it."""
    good = "a,target\n" + "".join(f"{i},{'x' if i % 2 else 'y'}\n" for i in range(20))
    texts = {
        "label missing": good.replace("target", "klass"),
        "label constant": "a,target\n1,x\n2,x\n3,x\n",
        "all-missing column": "a,b,target\n" + "".join(f"{i},,{i % 2}\n" for i in range(20)),
        "infinite value": good.replace("\n3,", "\ninf,"),
        "duplicate columns": "a,a,target\n1,2,x\n3,4,y\n",
        "class of one": good + "99,rare\n",
        "empty table": "",
        "header only": "a,target\n",
    }
    if name in texts:
        (root / "t.csv").write_text(texts[name])
        return str(root / "t.csv")
    match name:
        case "missing path":
            return str(root / "nowhere")
        case "empty folder":
            return str(root)
        case "one class":
            return str(_folder(root, {"cat/1.png": _png(), "cat/2.png": _png()}))
        case "class with one image":
            files = {f"cat/{i}.png": _png() for i in range(4)}
            return str(_folder(root, {**files, "dog/1.png": _png()}))
        case "truncated image":
            files = {f"{c}/{i}.png": _png() for c in ("cat", "dog") for i in range(4)}
            return str(_folder(root, {**files, "dog/9.png": _png()[:40]}))
        case "zero-byte image":
            files = {f"{c}/{i}.png": _png() for c in ("cat", "dog") for i in range(4)}
            return str(_folder(root, {**files, "dog/9.png": b""}))
        case "mixed sizes":
            files = {f"{c}/{i}.png": _png() for c in ("cat", "dog") for i in range(4)}
            return str(_folder(root, {**files, "dog/9.png": _png(9)}))
        case "not UTF-8":
            (root / "t.csv").write_bytes(good.encode().replace(b"x", b"\xe9"))
            return str(root / "t.csv")
        case "pickled npz":
            labels = np.array(["a", {"b": 1}], dtype=object)
            images = np.zeros((2, 4, 4), np.uint8)
            np.savez(root / "d.npz", train_images=images, train_labels=labels)
            return str(root / "d.npz")
        case "labels out of range":
            images = np.zeros((4, 4, 4), np.uint8)
            labels, names = np.array([0, 1, 2, 9]), np.array(["a", "b", "c"])
            np.savez(root / "d.npz", train_images=images, train_labels=labels, class_names=names)
            return str(root / "d.npz")
        case "unknown suffix":
            (root / "d.xlsx").write_bytes(b"x")
            return str(root / "d.xlsx")
    raise AssertionError(name)


BAD_INPUT = [
    "missing path", "empty folder", "one class", "class with one image", "truncated image",
    "zero-byte image", "mixed sizes", "infinite value", "label missing", "label constant",
    "all-missing column", "not UTF-8", "duplicate columns", "pickled npz", "labels out of range",
    "class of one", "empty table", "header only", "unknown suffix",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_ends_in_one_message_and_status_2(name, tmp_path, capsys):
    """Requirement, actual value and remedy on three lines; no traceback; no run is left."""
    data = tmp_path / "data"
    data.mkdir()
    out = tmp_path / "run"
    status = main(["fit", _case(name, data), "--out", str(out), "--epochs", "1"])
    told = capsys.readouterr().err
    assert status == 2, told
    assert "Traceback" not in told
    assert len(told[told.index("equipoise: ") :].strip().splitlines()) >= 3
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit"], "DATA"),
        (["fit", "digits", "--epoch", "3"], "--epochs"),
        (["fit", "digits", "--epochs", "many"], "epochs"),
        (["fit", "digits", "--optimizer", "SGD(rate=1)"], "rate"),
        (["fit", "digits", "--ratio", "-3"], "ratio"),
        (["frobnicate"], "frobnicate"),
        (["evaluate", "nowhere"], "config.toml"),
        (["report", "nowhere"], "config.toml"),
        (["predict", "nowhere", "digits", "--out", "x.txt"], ".csv or .parquet"),
        (["--config", "nowhere.toml", "fit", "digits"], "--config"),
    ],
)
def test_wrong_usage_ends_with_status_2_and_a_hint(arguments, words, capsys):
    """Usage errors name what is wrong or what was meant."""
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_an_existing_folder_is_refused(run, capsys):
    """Another run's folder is never overwritten."""
    assert main(["fit", "digits", "--out", str(run), *SMALL]) == 2
    assert "--resume" in capsys.readouterr().err


def test_a_run_of_another_version_is_refused(run, tmp_path, capsys):
    """The message says which format this version reads."""
    other = tmp_path / "other"
    other.mkdir()
    text = (run / "config.toml").read_text().replace("format = 1", "format = 99")
    (other / "config.toml").write_text(text)
    assert main(["report", str(other)]) == 2
    assert "99" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('kind = "images"', 'kind = "sounds"'),
        ("[test]", "[tests]"),
        ('precision = "', 'precision = "x'),
        ("counts_train = [", "counts_train = [1, "),
        ("size = ", 'cache = "elsewhere"\nsize = '),
    ],
)
def test_a_damaged_configuration_ends_in_words(run, tmp_path, capsys, was, becomes):
    """A config.toml that was changed by hand is refused, and never says where to write."""
    other = tmp_path / "run"
    shutil.copytree(run, other)
    text = (other / "config.toml").read_text().replace(was, becomes)
    if "elsewhere" in becomes:
        text = text.replace("[data.reading]\n", '[data.reading]\ncache = "elsewhere"\n')
    (other / "config.toml").write_text(text)
    status = main(["predict", str(other), "digits", "--out", str(tmp_path / "p.csv")])
    assert status == (0 if "elsewhere" in becomes else 2)
    assert "Traceback" not in capsys.readouterr().err
    assert not Path("elsewhere").exists()


def test_data_that_does_not_match_the_run_is_refused(table_run, run, tmp_path, capsys):
    """Missing columns, text in a column of numbers, and images of another size are named."""
    out = ["--out", str(tmp_path / "p.csv"), "--device", "cpu"]
    (tmp_path / "less.csv").write_text("a\n1\n")
    assert main(["predict", str(table_run), str(tmp_path / "less.csv"), *out]) == 2
    assert "b" in capsys.readouterr().err
    (tmp_path / "text.csv").write_text("a,b\nseven,no\n")
    assert main(["predict", str(table_run), str(tmp_path / "text.csv"), *out]) == 2
    assert "seven" in capsys.readouterr().err
    np.savez(tmp_path / "big.npz", images=np.zeros((2, 9, 9), np.uint8))
    assert main(["predict", str(run), str(tmp_path / "big.npz"), *out]) == 2
    assert "8 x 8" in capsys.readouterr().err
    assert not (tmp_path / "p.csv").exists()


def test_a_full_disk_ends_in_words_and_leaves_the_old_file(table_run, table, tmp_path):
    """When the system refuses to write, status 1, no half-written file, the old one kept."""
    out = tmp_path / "p.csv"
    out.write_text("old")
    program = (
        "import resource, sys\n"
        "from equipoise.cli import main\n"
        "import equipoise.commands.predict\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))\n"
        f"sys.exit(main(['predict', {str(table_run)!r}, {str(table)!r}, '--out', {str(out)!r},"
        " '--device', 'cpu', '--overwrite']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    told = done.stderr.decode()
    assert done.returncode == 1, told
    assert "Traceback" not in told
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


@pytest.mark.parametrize(
    ("message", "is_memory"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory", True),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes", True),
        ("mat1 and mat2 shapes cannot be multiplied", False),
        ("a tensor of the memory format channels_last is needed", False),
    ],
)
def test_memory_that_runs_out_is_told_as_that_and_nothing_else_is(
    message, is_memory, monkeypatch, capsys
):
    """An error that only speaks of memory is a fault of ours, and is shown with its traceback."""

    def fail(*_, **__):
        raise RuntimeError(message)

    monkeypatch.setattr("equipoise.cli.require_command", fail)
    if is_memory:
        assert main(["recipes"]) == 1
        assert "Memory ran out." in capsys.readouterr().err
    else:
        with pytest.raises(RuntimeError, match=r"memory|mat1"):
            main(["recipes"])
