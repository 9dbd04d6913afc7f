"""Laws of the space: the prescription is inside, and all that is drawn from it can be used."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.classifier import Classifier
from equipoise.defaults import DataFacts
from equipoise.errors import InputError
from equipoise.settings import COMPONENTS, OPTIONAL, Settings, resolve_settings
from equipoise.spaces import Options, Span
from equipoise.spec import Component
from equipoise.tuning.space import (
    ROLES,
    Role,
    check_roles,
    search_space,
    starting_point,
    suggest,
)

FACTS = {
    "table": DataFacts(kind="table", n_train=1000, pixels=0, channels=0, device="cpu"),
    "images": DataFacts(kind="images", n_train=1000, pixels=64, channels=1, device="cpu"),
}
KINDS = sorted(FACTS)
AUTO = Classifier().get_params(deep=False)


def _settings(kind: str, **params: Any) -> Settings:
    return resolve_settings({**AUTO, **params}, FACTS[kind])[0]


def _study(seed: int = 0) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))


def _at(point: Mapping[str, Any], roles: Sequence[Role]) -> tuple[optuna.Trial, dict[str, Any]]:
    """Return a trial of Optuna at a point, and its parameters; what is outside is an error."""
    study = _study()
    study.enqueue_trial(dict(point))
    trial = study.ask()
    return trial, suggest(trial, roles)


ODD: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in KINDS),
    ("images", {"optimizer": "SGD(lr=3.0, weight_decay=0.0)"}),
    ("images", {"optimizer": "SGD(lr=0.0, weight_decay=0)"}),
    ("images", {"optimizer": "SGD(lr=0.3, momentum=0.5, nesterov=False)"}),
    ("images", {"optimizer": "AdamW(lr=1, beta2=0.9)"}),
    ("images", {"batch_size": 24}),
    ("images", {"batch_size": "BatchSize(size=4, rule='linear', budget='steps')"}),
    ("images", {"backbone": "ResNet18(width=48)"}),
    ("images", {"backbone": "ResNet(depth=8, width=8)"}),
    ("images", {"augmentation": None, "mixing": "Mixup(alpha=7.0)"}),
    ("images", {"augmentation": "CropFlip() | Cutout(size=0.9)"}),
    ("images", {"augmentation": "Cutout(size=0.9, probability=0.3, tail_scale=0.0)"}),
    ("images", {"auxiliary": "SimCLR(weight=3.0)"}),
    ("images", {"sharpness": "ASAM(rho=0.01)"}),
    ("images", {"smoothing": "ClassConditional(head=0.9, tail=0.0, profile='linear')"}),
    ("table", {"smoothing": "Uniform(eps=0.0)"}),
    ("table", {"backbone": "MLP(layers=9, width=100, dropout=0.9, numeric='linear')"}),
    ("table", {"backbone": "TabM(members=4)", "head": "Cosine(scale=100.0, learned=True)"}),
    ("table", {"optimizer": "AdamW(lr=1e-07, weight_decay=0.0)"}),
    ("table", {"scaling": "none", "sharpness": "SAMA(rho=0.0, gamma=0.0, reading='radius')"}),
    ("table", {"augmentation": "FeatureNoise(std=2.0)", "auxiliary": "SCARF(weight=0.0)"}),
    ("table", {"head": "Normalized()", "batch_size": 1000}),
]


def _equal(first: Settings, second: Settings) -> bool:
    """Whether all components are of the same kind with equal fields, and all else is equal."""

    def told(value: Any) -> Any:
        return (type(value), value.get_params()) if isinstance(value, Component) else value

    pairs = (vars(settings).values() for settings in (first, second))
    return all(told(a) == told(b) or repr(a) == repr(b) for a, b in zip(*pairs, strict=True))


@pytest.mark.parametrize(("kind", "params"), ODD)
def test_the_starting_point_is_the_prescription(kind: str, params: dict[str, Any]) -> None:
    """However odd, it lies inside the space, and a trial there has exactly its settings."""
    prescribed = _settings(kind, **params)
    roles = search_space(prescribed, kind)
    point = starting_point(roles)
    trial, found = _at(point, roles)
    assert trial.params == point
    assert list(found) == [role.name for role in roles]
    assert _equal(_settings(kind, **{**params, **found}), prescribed)


def test_the_text_of_the_prescription_comes_back_to_the_letter() -> None:
    """A field that is at its default is not written, one that is not tuned is kept."""
    params = {"optimizer": "SGD(lr=3.0, momentum=0.5)", "batch_size": 24, "mixing": None}
    roles = search_space(_settings("images", **params), "images")
    found = _at(starting_point(roles), roles)[1]
    assert found["optimizer"] == "SGD(lr=3.0, momentum=0.5)"
    assert found["batch_size"] == "BatchSize(size=24)"
    assert found["mixing"] is None
    assert found["smoothing"] is None


@pytest.mark.parametrize(
    ("text", "field", "space"),
    [
        ("SGD(lr=0.1)", "lr", Span(0.005, 0.5, log=True)),
        ("SGD(lr=3.0)", "lr", Span(0.005, 3.0, log=True)),
        ("SGD(lr=0.001)", "lr", Span(0.001, 0.5, log=True)),
        ("SGD(weight_decay=0.0)", "weight_decay", Options((0.0, 1e-5, (1e-7) ** 0.5, 1e-2))),
    ],
)
def test_a_space_is_widened_just_so_far(text: str, field: str, space: Span | Options) -> None:
    """To the prescribed value; zero, which no logarithm reaches, stands beside three others."""
    [role] = search_space(_settings("images", optimizer=text), "images", ["optimizer"])
    found = role.spaces("SGD")[field]
    if isinstance(found, Options):
        assert isinstance(space, Options)
        assert found.values == pytest.approx(space.values)
    else:
        assert found == space
    assert role.spaces("AdamW")[field] == AdamW_SPACES[field]


AdamW_SPACES = {
    "lr": Span(1e-4, 1e-2, log=True),
    "weight_decay": Span(1e-4, 0.3, log=True),
}


def test_options_and_whole_numbers_are_widened_too() -> None:
    """A value more, and a longer span of whole numbers."""
    prescribed = _settings("table", backbone="MLP(layers=9, width=100)", batch_size=24)
    backbone, size = search_space(prescribed, "table", ["backbone", "batch_size"])
    assert backbone.spaces("MLP")["layers"] == Span(1, 9, integer=True)
    assert backbone.spaces("MLP")["width"] == Options((64, 128, 256, 512, 100))
    assert size.spaces("BatchSize")["size"] == Options((16, 32, 64, 128, 256, 24))


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_whatever_is_drawn_can_be_used(kind: str, seed: int) -> None:
    """A random trial has valid settings, names of chosen components only, and values inside."""
    roles = search_space(_settings(kind), kind)
    trial = _study(seed).ask()
    params = suggest(trial, roles)
    _settings(kind, **params)
    asked = [role for role in roles if role.needs is None or params[role.needs] is not None]
    chosen = {role.name: trial.params[role.name] for role in asked}
    expected = {
        f"{role.name}.{chosen[role.name]}.{field}": space
        for role in asked
        for field, space in role.spaces(chosen[role.name]).items()
    }
    assert set(trial.params) == {*chosen, *expected}
    assert all(trial.params[name] in space for name, space in expected.items())


def test_two_views_need_an_augmentation() -> None:
    """Without one no self-supervised loss of images is drawn: every recipe can be trained."""
    roles = search_space(_settings("images"), "images", ["augmentation", "auxiliary"])
    point = {"augmentation": "None", "auxiliary": "VICReg", "auxiliary.VICReg.weight": 0.1}
    trial, found = _at(point, roles)
    assert found == {"augmentation": None, "auxiliary": None}
    assert trial.params == {"augmentation": "None"}


def test_a_given_auxiliary_loss_keeps_the_augmentation() -> None:
    """And without an augmentation that is given, there is no loss to search for."""
    given = _settings("images", auxiliary="VICReg()")
    [role] = search_space(given, "images", ["augmentation"])
    assert "None" not in role.candidates
    bare = _settings("images", augmentation=None)
    assert [role.name for role in search_space(bare, "images", ["auxiliary", "head"])] == ["head"]
    table = search_space(_settings("table", augmentation=None), "table", ["auxiliary"])
    assert [role.name for role in table] == ["auxiliary"]


def test_a_trial_says_what_it_chose() -> None:
    """The text holds the values that were drawn, at the component that was drawn."""
    roles = search_space(_settings("images"), "images", ["optimizer", "mixing"])
    point = {
        "optimizer": "AdamW",
        "optimizer.AdamW.lr": 0.0005,
        "optimizer.AdamW.weight_decay": 0.02,
        "mixing": "None",
    }
    trial, found = _at(point, roles)
    assert trial.params == point
    assert found == {"optimizer": "AdamW(lr=0.0005, weight_decay=0.02)", "mixing": None}


def test_an_augmentation_of_images_stands_behind_the_prescribed_one() -> None:
    """Crops stay, unless there shall be no augmentation at all."""
    [role] = search_space(_settings("images"), "images", ["augmentation"])
    crops = "CropFlip(padding=1, flip=False)"
    found = {}
    for name in role.candidates:
        point = {
            "augmentation": name,
            "augmentation.Cutout.size": 0.25,
            "augmentation.Cutout.tail_scale": 2.0,
        }
        found[name] = _at(point, [role])[1]["augmentation"]
    assert found["CropFlip"] == crops
    assert found["None"] is None
    assert found["Cutout"] == f"{crops} | Cutout(tail_scale=2.0, size=0.25)"
    assert found["AutoAugment"].startswith(f"{crops} | AutoAugment(")


def test_an_augmentation_stands_alone_where_none_is_prescribed() -> None:
    """As for tables."""
    [role] = search_space(_settings("table"), "table", ["augmentation"])
    point = {"augmentation": "FeatureSwap", "augmentation.FeatureSwap.rate": 0.3}
    found = _at(point, [role])[1]["augmentation"]
    assert found.startswith("FeatureSwap(")
    assert "rate=0.3" in found


@pytest.mark.parametrize("kind", KINDS)
def test_a_role_may_be_empty_where_the_classifier_allows_it(kind: str) -> None:
    """And each other one has what was prescribed, and what is proposed for such data."""
    for role in search_space(_settings(kind), kind):
        assert ("None" in role.candidates) == (role.name in OPTIONAL)
        assert role.prescribed in role.candidates
        if role.name in COMPONENTS:
            kinds = COMPONENTS[role.name].items()
            proposed = {name for name, each in kinds if kind in each.tuned_for}
            assert set(role.candidates) == proposed | {"None"} & set(role.candidates) | {
                role.prescribed
            }


def test_roles_that_are_not_asked_for_are_not_searched() -> None:
    """The order is that of choosing, whatever the order of asking."""
    prescribed = _settings("table")
    assert [role.name for role in search_space(prescribed, "table")] == list(ROLES)
    names = [role.name for role in search_space(prescribed, "table", ["mixing", "head"])]
    assert names == ["head", "mixing"]
    assert "scaling" not in [role.name for role in search_space(_settings("images"), "images")]


def test_a_backbone_that_no_search_proposes_stays() -> None:
    """Such as one with weights that were trained before."""
    prescribed = _settings("images", backbone="ResNet(depth=8)")
    assert "backbone" not in [role.name for role in search_space(prescribed, "images")]


def test_another_name_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(InputError, match=r"backbone, head, .* One is 'epochs'"):
        search_space(_settings("table"), "table", ["mixing", "epochs"])


def test_within_a_component_only_its_numbers_are_searched() -> None:
    """Focal stays focal, whatever else could stand there; what has no numbers is no role."""
    given = _settings(
        "images", loss="Focal(gamma=9.0)", mixing="Remix()", sampler="ClassBalanced()"
    )
    roles = search_space(given, "images", (), ["loss", "mixing", "sampler", "weighting"])
    assert [role.name for role in roles] == ["loss", "mixing"]
    gammas = set()
    for seed in range(20):
        found = suggest(_study(seed).ask(), roles)
        assert found["loss"].startswith("Focal(")  # type: ignore[union-attr]
        assert found["mixing"].startswith("Remix(")  # type: ignore[union-attr]
        gammas.add(found["loss"])
    assert len(gammas) == 20
    assert starting_point(roles)["loss.Focal.gamma"] == 9.0


def test_within_goes_before_search() -> None:
    """A role that is named twice keeps its component."""
    roles = search_space(_settings("table"), "table", ["optimizer", "head"], ["optimizer"])
    by_name = {role.name: list(role.candidates) for role in roles}
    assert by_name["optimizer"] == ["AdamW"]
    assert len(by_name["head"]) > 1


def test_within_takes_roles_of_components_alone() -> None:
    """Epochs have no fields."""
    with pytest.raises(InputError, match="One is 'epochs'"):
        search_space(_settings("table"), "table", (), ["epochs"])


def test_what_a_component_chooses_itself_is_not_searched() -> None:
    """A field at "auto" has nothing to search, and given as a number it has."""
    given = {text: _settings("table", posthoc=text) for text in ("TauNorm()", "TauNorm(tau=0.5)")}
    found = {text: search_space(own, "table", (), ["posthoc"]) for text, own in given.items()}
    assert found["TauNorm()"] == []
    [role] = found["TauNorm(tau=0.5)"]
    assert role.spaces("TauNorm") == {"tau": Span(0.0, 2.0)}
    assert starting_point([role])["posthoc.TauNorm.tau"] == 0.5


@pytest.mark.parametrize(("wrong", "right"), [("optimiser", "optimizer"), ("LOSS", "loss")])
def test_a_name_that_is_near_is_suggested(wrong: str, right: str) -> None:
    """Whatever its case."""
    with pytest.raises(InputError, match=f"Did you mean '{right}'"):
        check_roles([wrong], tuple(COMPONENTS))
