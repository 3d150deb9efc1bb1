"""The configurations that jada is wrong about, by the test that fails, each with the reason."""

CALLED_IN_SYNC: dict[str, str] = {}
FALSE_FINDING: dict[str, str] = {}
OTHER_WORD: dict[str, str] = {}
VERIFIED_WRONGLY: dict[str, str] = {}
