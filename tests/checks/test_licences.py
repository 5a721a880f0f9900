"""Licences as SPDX says them, from what packages say; refused ones are named."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from checks import licences, requirements


def distribution(folder: Path, name: str, lines: str) -> metadata.Distribution:
    home = folder / f"{name}-1.dist-info"
    home.mkdir()
    (home / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n{lines}")
    (found,) = metadata.distributions(path=[str(folder)])
    return found


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param("License-Expression: Apache-2.0 AND MIT\nLicense: x\n", "Apache-2.0 AND MIT", id="expression"),
        pytest.param("License: BSD 2-Clause License\n", "BSD-2-Clause", id="free text"),
        pytest.param("Classifier: License :: OSI Approved :: MIT License\n", "MIT", id="classifier"),
        pytest.param(
            "Classifier: License :: OSI Approved :: BSD License\n"
            "Classifier: License :: OSI Approved :: Apache Software License\n",
            "BSD-3-Clause OR Apache-2.0",
            id="two classifiers",
        ),
        pytest.param(
            "Classifier: License :: OSI Approved :: GNU Affero General Public License v3\n", "AGPL", id="Affero"
        ),
        pytest.param("License: GNU Lesser General Public License v3 (LGPLv3)\n", "LGPL", id="Lesser"),
        pytest.param("License: Mozilla Public License 2.0 (MPL 2.0)\n", "MPL-2.0", id="Mozilla"),
        pytest.param("License: Commercial\n", "unknown", id="not understood"),
        pytest.param("", "unknown", id="nothing said"),
    ],
)
def test_expression(tmp_path: Path, lines: str, expected: str) -> None:
    assert licences.expression(distribution(tmp_path, "thing", lines), {}) == expected


def test_an_override_wins(tmp_path: Path) -> None:
    assert licences.expression(distribution(tmp_path, "The_Thing", "License: x\n"), {"the-thing": "MIT"}) == "MIT"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("MIT", True, id="one"),
        pytest.param("GPL-3.0-only OR MIT", True, id="a choice"),
        pytest.param("MIT AND GPL-3.0-only", False, id="both"),
        pytest.param("(MIT OR GPL-2.0-only) AND Apache-2.0", True, id="brackets"),
        pytest.param("Apache-2.0 WITH LLVM-exception", True, id="an exception"),
        pytest.param("unknown", False, id="unknown"),
    ],
)
def test_fits(expression: str, expected: bool) -> None:
    assert licences.fits(expression, licences.PERMISSIVE) is expected


def test_what_is_deployed_is_judged_more_strictly() -> None:
    assert licences.refused({"a": "MPL-2.0"}, {"b": "LGPL"}) == []
    (line,) = licences.refused({"a": "LGPL"}, {"b": "MIT"})
    assert line == "a is deployed under LGPL, which checks/licences.py does not list"
    assert len(licences.refused({"a": "unknown"}, {"b": "AGPL", "c": "GPL"})) == 3


def test_a_program_that_is_only_run_may_be_copyleft_but_not_deployed() -> None:
    assert licences.refused({}, dict.fromkeys(licences.PROGRAMS, "GPL")) == []
    assert len(licences.refused(dict.fromkeys(licences.PROGRAMS, "GPL"), {})) == len(licences.PROGRAMS)


def test_what_is_deployed_is_listed_with_all_that_it_brings() -> None:
    known = requirements.installed()
    found = requirements.closure(["requests", "pydantic"], known)
    assert {"requests", "urllib3", "certifi", "idna", "charset-normalizer", "pydantic", "pydantic-core"} <= found
    assert "pysocks" not in found  # an extra


def test_a_page_that_is_not_fresh_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "licences.md"
    assert licences.main(["--write", "--page", str(page)]) == 0
    assert licences.main(["--page", str(page)]) == 0
    assert "| requests | Apache-2.0 |" in page.read_text()
    page.write_text(page.read_text().replace("| requests |", "| requestz |"))
    assert licences.main(["--page", str(page)]) == 1
    assert "run `make licences`" in capsys.readouterr().err
