"""Laws of the source text: what is public is documented truly, files are short, code is safe."""

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from numpydoc.docscrape import NumpyDocString
from sklearn.base import BaseEstimator

import equipoise
from equipoise import Classifier
from equipoise.settings import COMPONENTS

PACKAGE = Path(equipoise.__file__).parent
PROJECT = Path(__file__).parents[1]
FILES = sorted(PACKAGE.rglob("*.py"))
PUBLIC = [
    path for path in FILES if not re.search(r"/_[^_]|/__main__", f"/{path.relative_to(PACKAGE)}")
]
OTHERS = sorted(
    p for folder in ("benchmarks", "examples") for p in (PROJECT / folder).rglob("*.py")
)


def _name(path: Path) -> str:
    parts = ("equipoise", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


def _place(path: Path) -> str:
    return str(path.relative_to(PROJECT if path.is_relative_to(PROJECT) else PACKAGE.parent))


def _own(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the public classes and functions that a module defines itself, by a statement."""
    source = Path(module.__file__ or "").read_text("utf-8")
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef) and statement.name[0] != "_":
            thing = getattr(module, statement.name)
            yield f"{module.__name__}.{statement.name}", thing


def _members(qualified: str, kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties in a class's own body."""
    for name, member in vars(kind).items():
        function = getattr(member, "__func__", member)
        if name.startswith("_") or not (
            inspect.isfunction(function) or isinstance(member, property)
        ):
            continue
        yield f"{qualified}.{name}", function


def _documented(thing: Any) -> dict[str, str]:
    """Return the names in the Parameters section of a docstring, and what is said of their type."""
    entries = NumpyDocString(inspect.getdoc(thing) or "")["Parameters"]
    return {name.strip(" *"): entry.type for entry in entries for name in entry.name.split(",")}


def _documented_fields(kind: type) -> dict[str, str]:
    """Return the documented fields of a class, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base) and base.__doc__:
            found |= _documented(base)
    return found


def _parameters(function: Any) -> dict[str, inspect.Parameter]:
    every = inspect.signature(function).parameters
    return {name: p for name, p in every.items() if name not in ("self", "cls")}


def _misnamed(documented: set[str], function: Any) -> list[str]:
    """Return what is documented and does not exist, or exists and is not documented."""
    real = _parameters(function)
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = {name for name, p in real.items() if p.kind not in open_ended}
    return sorted((documented - real.keys()) | (needed - documented))


def _defaults(thing: Any) -> dict[str, Any]:
    """Return the default of each parameter or field that has one."""
    if dataclasses.is_dataclass(thing):
        fields = dataclasses.fields(thing)
        return {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    return {n: p.default for n, p in _parameters(thing).items() if p.default is not p.empty}


def _stated_defaults(documented: dict[str, str]) -> dict[str, str]:
    found = {name: re.search(r"\bdefault=(.+)$", text) for name, text in documented.items()}
    return {name: match[1].strip() for name, match in found.items() if match}


def _means(text: str, default: Any) -> bool:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return type(value) is type(default) and value == default


def _things(path: Path) -> list[tuple[str, Any]]:
    """Return everything public that a file defines and that may have parameters."""
    own = list(_own(importlib.import_module(_name(path))))
    members = [m for name, thing in own if inspect.isclass(thing) for m in _members(name, thing)]
    return own + [(name, m) for name, m in members if not isinstance(m, property)]


@pytest.mark.parametrize("path", PUBLIC, ids=_name)
def test_every_public_name_says_what_it_is(path: Path) -> None:
    """Modules, classes, functions, methods and properties all have a docstring."""
    module = importlib.import_module(_name(path))
    own = list(_own(module))
    members = [m for name, thing in own if inspect.isclass(thing) for m in _members(name, thing)]
    named = [(module.__name__, module), *own, *members]
    silent = [name for name, thing in named if not (inspect.getdoc(thing) or "").strip()]
    assert not silent, "\n".join(silent)


@pytest.mark.parametrize("path", PUBLIC, ids=_name)
def test_documented_defaults_are_the_real_ones(path: Path) -> None:
    """A default in a docstring is the default in the code, of the same type."""
    wrong = []
    for name, thing in _things(path):
        is_record = inspect.isclass(thing) and dataclasses.is_dataclass(thing)
        documented = _documented_fields(thing) if is_record else _documented(thing)
        defaults = _defaults(thing) if documented else {}
        for parameter, text in _stated_defaults(documented).items():
            if parameter not in defaults or not _means(text, defaults[parameter]):
                real = repr(defaults[parameter]) if parameter in defaults else "absent"
                wrong.append(f"{name}: {parameter} default={text}, in the code {real}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", PUBLIC, ids=_name)
def test_components_state_every_default(path: Path) -> None:
    """Who reads a component's docstring knows what they get without setting anything."""
    unstated = []
    for name, thing in _own(importlib.import_module(_name(path))):
        if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
            stated = _stated_defaults(_documented_fields(thing))
            expected = {field for field, value in _defaults(thing).items() if value is not None}
            unstated += [f"{name}.{field}" for field in sorted(expected - stated.keys())]
    assert not unstated, "\n".join(unstated)


@pytest.mark.parametrize("path", PUBLIC, ids=_name)
def test_every_field_is_documented(path: Path) -> None:
    """The Parameters of a dataclass are its public fields, each once and no others."""
    wrong = []
    for name, thing in _own(importlib.import_module(_name(path))):
        if inspect.isclass(thing) and dataclasses.is_dataclass(thing):
            fields = {f.name for f in dataclasses.fields(thing) if not f.name.startswith("_")}
            different = fields ^ _documented_fields(thing).keys()
            wrong += [f"{name}: {', '.join(sorted(different))}"] if different else []
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", PUBLIC, ids=_name)
def test_parameters_are_documented_all_or_none(path: Path) -> None:
    """A Parameters section names every parameter and no others.

    Commands are the exception: options that are shared come in through a dataclass, which
    documents them.
    """
    is_command = path.is_relative_to(PACKAGE / "commands")
    wrong = []
    for name, thing in _things(path):
        documented = {} if dataclasses.is_dataclass(thing) else _documented(thing)
        different = _misnamed(set(documented), thing) if documented else []
        if is_command:
            different = sorted(documented.keys() & set(different))
        wrong += [f"{name}: {', '.join(different)}"] if different else []
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", FILES + OTHERS, ids=_place)
def test_files_and_functions_are_short(path: Path) -> None:
    """A file is one idea of at most 400 lines; a function has at most 50 beside its docstring."""
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    long = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            long += [f"{node.name}: {length} lines"] if length > 50 else []
    assert not long, "\n".join(long)


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


UNSAFE_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
NEEDED_KEYWORDS = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "np.savez": ("allow_pickle", False),
    "np.savez_compressed": ("allow_pickle", False),
}


def _dangers(source: str) -> list[str]:
    """Return what could execute code that came with data, line by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [f"{node.lineno}: import {a.name}" for a in node.names if _is_unsafe(a.name)]
        elif isinstance(node, ast.ImportFrom) and _is_unsafe(node.module or ""):
            found.append(f"{node.lineno}: from {node.module} import")
        elif isinstance(node, ast.Call):
            found += _call_dangers(node)
    return found


def _is_unsafe(module: str) -> bool:
    return module.partition(".")[0] in UNSAFE_MODULES


def _call_dangers(node: ast.Call) -> list[str]:
    called = ast.unparse(node.func)
    keyword, value = NEEDED_KEYWORDS.get(called, (None, None))
    given = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
    if keyword is not None and given.get(keyword) is not value:
        return [f"{node.lineno}: {called} without {keyword}={value}"]
    return [f"{node.lineno}: {called}()"] if called in UNSAFE_CALLS else []


@pytest.mark.parametrize("path", FILES, ids=_place)
def test_data_cannot_run_code(path: Path) -> None:
    """No pickle is read or written, and no text is executed, anywhere in the package."""
    assert _dangers(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "danger"),
    [
        ("import pickle", "1: import pickle"),
        ("import numpy, joblib.numpy_pickle as j", "1: import joblib.numpy_pickle"),
        ("from pickle import loads", "1: from pickle import"),
        ("def f():\n    return eval(text)", "2: eval()"),
        ("torch.load(path)", "1: torch.load without weights_only=True"),
        ("torch.load(path, weights_only=False)", "1: torch.load without weights_only=True"),
        ("np.load(path)", "1: np.load without allow_pickle=False"),
        ("np.load(path, allow_pickle=True)", "1: np.load without allow_pickle=False"),
    ],
)
def test_the_search_for_dangers_finds_them(source: str, danger: str) -> None:
    """The law above would hold of a blind search, too."""
    assert _dangers(source) == [danger]


def test_the_search_for_dangers_finds_no_others() -> None:
    """Names that merely resemble the forbidden ones are free."""
    source = "model.eval()\nre.compile('a')\ntorch.load(p, weights_only=True)\nimport json"
    assert _dangers(source) == []


def test_the_classifier_names_every_component_that_may_stand_in_a_field():
    """What `--help` says of a field lists its components; of augmentations, some."""
    text = " ".join((Classifier.__doc__ or "").split())
    for field, choices in COMPONENTS.items():
        if field != "augmentation":
            described = text.partition(f" {field} : ")[2][:400]
            assert [name for name in choices if name not in described] == []
