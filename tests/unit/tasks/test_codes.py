"""The catalogue of findings: codes are for good, so nothing in it may be ambiguous."""

import re

from jada.tasks.codes import CODES, Fix


def test_codes_and_names_are_unique_and_in_order() -> None:
    assert list(CODES) == sorted(CODES)
    names = [code.name for code in CODES.values()]
    assert len(set(names)) == len(names)


def test_every_code_says_what_it_means_and_what_fixes_it() -> None:
    for code in CODES.values():
        assert re.fullmatch(r"J[1-5]\d\d", code.code)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code.name)
        assert code.severity in ("error", "warning", "note")
        assert code.meaning.endswith(".")
        assert code.fix
        assert code.fixed_by.is_by_heal == ("jada heal" in code.fix)
        assert (code.fixed_by is Fix.UPGRADE) == ("jada upgrade" in code.fix)
        assert not code.fix.endswith(".")
