"""Laws of the page over all data sets."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from scipy import stats

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def atlas(monkeypatch):
    """The module that writes the page."""
    for folder in (BENCHMARKS, BENCHMARKS / "atlas"):
        monkeypatch.syspath_prepend(str(folder))
    import page  # noqa: PLC0415 (found there only)

    yield page
    del sys.modules["page"]
    sys.modules.pop("atlas", None)


def _write(results: Path, name: str, data: str, means: dict[str, float], n_seeds: int = 5) -> None:
    folder = results / name
    folder.mkdir(parents=True)
    shown = {m: {"value": v, "low": v - 0.1, "high": v + 0.1} for m, v in means.items()}
    best = max(means, key=lambda m: means[m])
    facts = {
        "n_seeds": n_seeds,
        "means": shown,
        "best": best,
        "to_best": [
            {"method": m, "reference": best, "told_apart": v < means[best] - 0.15}
            for m, v in means.items()
            if m != best
        ],
        "to_control": [
            {"method": m, "reference": "plain", "told_apart": True, "value": v - means["plain"]}
            for m, v in means.items()
            if m != "plain"
        ],
    }
    told = {prior: {"facts": facts} for prior in ("balanced", "as_trained")}
    told["leaderboard"] = [
        {"method": m, "seconds": 10 + 10 * v, "epochs": None, "exact_prior": m == "plain"}
        for m, v in means.items()
    ]
    (folder / "verdict.json").write_text(json.dumps(told))
    (folder / "comparison.json").write_text(json.dumps({"setup": {"fingerprint": data}}))


def test_data_that_choices_were_made_on_stand_apart_and_count_once(atlas, tmp_path):
    """Two ratios of one data set are ranked by their mean, as SciPy ranks it."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    _write(tmp_path, "cifar10-10", "c", {"plain": 0.5, "focal": 0.6})
    _write(tmp_path, "cifar10-100", "c", {"plain": 0.5, "focal": 0.3})
    _write(tmp_path, "fashion-mnist-10", "f", {"plain": 0.5, "focal": 0.7})
    _write(tmp_path, "yeast", "y", {"plain": 0.5, "focal": 0.7, "lightgbm": 0.8})
    _write(tmp_path, "abalone", "a", {"plain": 0.1, "focal": 0.2})
    text = atlas.page(atlas.summarised(tmp_path), pictures)
    assert "| plain | 15.0 | 15.0 (yeast) |  |" in text
    assert "| focal * | 16.0 | 17.0 (yeast) |  |" in text
    fair, tables, chosen = re.split("## Tables that|## Images", text)[1:]
    assert "\nabalone.\n" in fair
    assert "Too few data sets" in fair
    assert "\nyeast.\n" in tables
    assert "| lightgbm | plain | 1 | 0 | 0 |" in tables
    assert "\ncifar10-10, cifar10-100, fashion-mnist-10.\n" in chosen
    assert "over 2 data sets" in chosen
    ranks = stats.rankdata([[-0.5, -0.45], [-0.5, -0.7]], axis=1).mean(axis=0)
    assert f"| plain | {ranks[0]:.2f} |" in chosen
    assert "| focal | plain | 2 | 0 | 1 |" in chosen
    assert "| focal | 2 | 0 | 1 |" in chosen  # best of two, told to be worse than the best of one
    assert "| plain | 1 | 1 | 1 |" in chosen
    drawn = {path.name for path in pictures.iterdir()}
    assert drawn == {"atlas-images-balanced.svg", "atlas-images-as_trained.svg"}
    for name in drawn:
        assert f"](pictures/{name})" in chosen
        text = "".join(ElementTree.parse(pictures / name).getroot().itertext())
        assert "focal" in text
        assert "average rank" in text


def test_a_star_is_at_every_figure_that_a_heuristic_decides(atlas, tmp_path):
    """Of corrected figures, in tables and in the picture, and not of those as trained."""
    _write(tmp_path, "yeast", "y", {"plain": 0.5, "focal": 0.7})
    _write(tmp_path, "german", "g", {"plain": 0.5, "focal": 0.6})
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    text = atlas.page(atlas.summarised(tmp_path), pictures)
    _, _, tables = text.partition("## Tables that defaults")
    corrected, _, rest = tables.partition("### As trained")
    for line in ("focal * | 1.00", "focal * | 2 | 0 | 0", "focal * | plain | 2 | 0 | 0"):
        assert f"| {line} |" in corrected
    assert "Average ranks: focal * 1.00" in corrected
    assert "A star: the correction is a heuristic" in corrected
    assert "| focal |" not in corrected
    as_trained, _, rest = rest.partition("## Images")
    assert "*" not in as_trained
    assert "star" not in as_trained
    assert "| data | plain | focal * |" in rest


def test_numbers_of_seeds_are_those_of_the_verdicts(atlas, tmp_path):
    """Also where comparisons have others than they began with; nothing is said of what is not."""
    assert "searches\nincluded.\n" in atlas.page({}, tmp_path)
    means = {"plain": 0.5, "focal": 0.7}
    for name, n in (("yeast", 5), ("german", 5), ("abalone", 3)):
        _write(tmp_path, name, name, means, n)
    line = "included; 3 or 5 seeds on tables, each with a split of its own."
    assert line in atlas.page(atlas.summarised(tmp_path), tmp_path)
    _write(tmp_path, "abalone-4", "abalone", means, 5)
    _write(tmp_path, "cifar10-10", "cifar10", means, 1)
    line = "included; 3 or 5 seeds on tables, 1 seed on images, each with a split of its own."
    assert line in atlas.page(atlas.summarised(tmp_path), tmp_path)


@pytest.mark.usefixtures("atlas")
@pytest.mark.parametrize("only", [["yaest"], ["yeast", "yaest"]])
def test_unknown_data_is_refused_before_anything_is_compared(only, tmp_path, monkeypatch):
    """With the names that there are; no page is written."""
    import atlas as script  # noqa: PLC0415 (found there only)

    (tmp_path / "yeast.csv").touch()
    monkeypatch.setattr(script, "compare", lambda *_: pytest.fail("compared"))
    monkeypatch.setattr(script, "page", lambda *_: pytest.fail("written"))
    options = ["--work", str(tmp_path / "work"), "--assets", str(tmp_path), "--only", *only]
    monkeypatch.setattr(sys, "argv", ["atlas.py", *options])
    with pytest.raises(SystemExit, match="2"):
        script.main()


def test_the_tables_of_the_defaults_are_known(atlas):
    """Also a table whose name begins like another stays what it is."""
    assert all(map(atlas.chosen_on, ("yeast", "page_blocks", "german", "shuttle", "cifar10-100")))
    assert not any(map(atlas.chosen_on, ("abalone", "hiva", "winequality-red-4", "lymphography")))
