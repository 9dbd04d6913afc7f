"""A real browser, and pages for it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from equipoise.cli import main
from equipoise.comparison.ranking import rank_comparisons
from equipoise.report import write_report

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

# The page hears of scrolling with the next frame, and then tells nothing until a move.
SCROLLED = (
    "arguments[0].scrollIntoView({block: 'center'});"
    "requestAnimationFrame(() => requestAnimationFrame(arguments[1]))"
)


@dataclass(frozen=True)
class Browser:
    """What a reader does with a page, and what the browser says about it."""

    driver: Any

    def visit(self, page: Path, width: int = 1200, theme: str = "light") -> None:
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
        self.devtools("Emulation.setEmulatedMedia", media)
        self.driver.get_log("performance")  # drop what the browser asked for when it started
        self.driver.get(page.as_uri())

    def requests(self) -> set[str]:
        """Return how the addresses begin that the page asked for."""
        rows = self.driver.get_log("performance")
        messages = [json.loads(row["message"])["message"] for row in rows]
        return {
            message["params"]["request"]["url"].partition(":")[0]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        }

    def complaints(self) -> list[Any]:
        return self.driver.get_log("browser")

    def script(self, text: str, *values: Any) -> Any:
        return self.driver.execute_script(text, *values)

    def devtools(self, command: str, values: dict[str, Any]) -> Any:
        return self.driver.execute_cdp_cmd(command, values)

    def told(self) -> str:
        return self.script("return document.querySelector('.told').textContent")

    def scroll_to(self, element: str) -> None:
        self.driver.execute_async_script(SCROLLED, self.script(f"return {element}"))

    def move(self, x: float, y: float) -> str:
        """Move the mouse to a place in the window; return what is told."""
        self.devtools("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        return self.told()

    def tap(self, x: float, y: float) -> str:
        """Touch a place in the window with a finger; return what is told."""
        finger = {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
        self.devtools("Input.dispatchTouchEvent", finger)
        self.devtools("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return self.told()

    def press(self, key: str) -> str:
        """Press a key where the focus is; return what is told."""
        from selenium.webdriver.common.keys import Keys  # noqa: PLC0415 (may be missing)

        self.driver.switch_to.active_element.send_keys(getattr(Keys, key))
        return self.told()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    driver.get("about:blank")
    yield Browser(driver)
    driver.quit()


@pytest.fixture(scope="session")
def files(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of made-up runs."""
    folder = tmp_path_factory.mktemp("pages")
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture(scope="session")
def diagnosis(diagnosed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a diagnosis of five runs."""
    page = tmp_path_factory.mktemp("page") / "diagnosis.html"
    write_report([diagnosed], page)
    return page


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small study."""
    place = tmp_path_factory.mktemp("study")
    quick = ["--device", "cpu", "--backbone", "ResNet(depth=8, width=4)", "--epochs", "1"]
    what = ["study", "smoothing", "digits", "--examples", "120", "--ratios", "1,10"]
    values = ["--seeds", "1", "--values", "None", "Uniform()"]
    assert main([*what, *quick, *values, "--out", str(place / "kept")]) == 0
    write_report([place / "kept"], place / "study.html")
    return place / "study.html"


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory, written: ModuleType) -> Path:
    """The page of two comparisons of twelve methods, nearly alike in cost and quality."""
    place = tmp_path_factory.mktemp("comparison")
    names = ["plain", "<b>bold", "the longest name of all", *(f"method-{k}" for k in range(9))]
    for data in ("one", "other"):
        (place / data).mkdir()
        written.tell(place / data, *names)
        for name in names:
            seconds = {"environment": {"seconds": 9.0 if name == "method-8" else 60.0}}
            facts = {"data": {"name": data, "classes": list("abc"), "counts_train": written.COUNTS}}
            written.write(place / data, name, 0, 2.0, **seconds, **facts)
    folders = [place / "one", place / "other"]
    write_report(folders, place / "page.html", ranking=rank_comparisons(folders))
    return place / "page.html"
