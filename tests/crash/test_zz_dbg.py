import sys, subprocess, os, pytest
from penstock.testing.crash import KILLED, Victim
@pytest.mark.parametrize("n", range(6))
def test_it(n, tmp_path, postgres):
    v = Victim([sys.executable, "/tmp/locks/dbg.py", str(tmp_path), "6", postgres], log=tmp_path/"log", timeout=20)
    try:
        for number in (8, 3):
            code = v.run(crash_at="lock.candidate", hit=number)
            print("CODE", code)
        print(v.run())
    finally:
        print(v.output())
