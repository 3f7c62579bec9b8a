"""Who runs what, where several workers run the tests (``--dist loadfile``)."""

from xdist.scheduler import LoadFileScheduling

ALONE = ("faults/test_orders_storm.py", "unit/test_verify.py")
"""Files of slow tests that share nothing: each of these tests goes where there is room."""
MATRIX = "conformance/test_matrix.py"


class Sharing(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Files stay together, and come in the order of their names: the small ones of `unit` last, so that no worker has
    a long one when the others are done. The matrix goes by broker and group of cases."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if file.endswith(ALONE):
            return nodeid
        return nodeid.rpartition("-")[0] if file.endswith(MATRIX) else file
