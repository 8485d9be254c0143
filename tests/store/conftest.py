import pytest

pytest.register_assert_rewrite("penstock.testing.conformance")
