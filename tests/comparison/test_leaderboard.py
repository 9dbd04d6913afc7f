"""Laws of the leaderboard as CSV and LaTeX."""

import csv
import json
from pathlib import Path
from types import ModuleType

from equipoise.comparison.leaderboard import COLUMNS, as_csv, as_latex, columns_of, leaderboard
from equipoise.comparison.results import read_results
from equipoise.comparison.verdict import conclude
from equipoise.durations import format_duration
from equipoise.runs import Run


def test_names_are_safe_in_latex(folder: Path) -> None:
    """Characters that LaTeX reads as commands become those characters."""
    rows = [{**row, "method": "a\\b~c^d_{e}"} for row in leaderboard(read_results(folder))[:1]]
    escaped = r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d\_\{e\}"
    assert f"{escaped} &" in as_latex(rows)


def test_tables_hold_every_figure(folder: Path, written: ModuleType) -> None:
    """CSV with the ends of intervals; LaTeX with its special characters escaped."""
    written.tell(folder, "plain", "focal", "good", "a_b")
    for seed in (0, 1):
        written.write(folder, "a_b", seed, 3.0)
    found = conclude(folder)
    rows = list(csv.DictReader(as_csv(found["leaderboard"]).splitlines()))
    for row, told in zip(rows, found["leaderboard"], strict=True):
        for name in COLUMNS:
            ends = [float(row[f"{name}{end}"]) for end in ("_low", "", "_high")]
            assert ends == [told[name][k] for k in ("low", "value", "high")]
            assert ends[0] <= ends[1] <= ends[2]
    latex = as_latex(found["leaderboard"])
    assert latex == (folder / "leaderboard.tex").read_text()
    assert r"a\_b &" in latex
    assert latex.count(r"\\") == 2 + 4
    assert "textsuperscript" not in latex
    assert json.loads((folder / "verdict.json").read_text()) == found


def test_the_latex_table_has_every_column_and_marks_heuristics(
    folder: Path, written: ModuleType
) -> None:
    """That of the metric, and the time; scores in per cent, log-losses in nats."""
    written.tell(folder, "plain", "focal", "good", setup={"metric": "accuracy"})
    for seed in (0, 1):
        run = Run(folder / "runs" / "good" / f"seed{seed}")
        config = {k: v for k, v in run.config.items() if k != "format"}
        run.write_config({**config, "classifier": {"loss": "VectorScaling()"}})
    found, latex = conclude(folder), (folder / "leaderboard.tex").read_text()
    _, begin, _, above, below, _, *rest = latex.splitlines()
    assert begin == rf"\begin{{tabular}}{{l{'r' * (len(columns_of('accuracy')) + 1)}}}"
    assert [title in above for title in ("macro-F1", "log-loss", "& accuracy", "time")] == [
        True
    ] * 4
    assert below.count("&") == len(columns_of("accuracy")) + 1
    lines = dict(zip((row["method"] for row in found["leaderboard"]), rest, strict=False))
    for row in found["leaderboard"]:
        cells = lines[row["method"]].removesuffix(r" \\").split(" & ")
        name, *figures, time = cells
        assert name == row["method"] + r"\textsuperscript{*}" * (row["method"] == "good")
        assert time == format_duration(row["seconds"])
        for column, text in zip(columns_of("accuracy"), figures, strict=True):
            scale, digits = (1, 3) if column.endswith(("log_loss", "loss_corrected")) else (100, 1)
            ends = [f"{scale * row[column][k]:.{digits}f}" for k in ("value", "low", "high")]
            assert text == "{} ({} to {})".format(*ends)
    assert latex.splitlines()[-2].startswith(r"\multicolumn{10}{l}{\textsuperscript{*} Corrected")
