import hbatch, os, sys
h = hbatch.Instance()
i = h.submit(["sh", "-c", "exit 3"])
print(h.wait(i).exit_code)
print(hbatch.Instance(os.environ["HBATCH_URI"]).getattr("level") if hasattr(h, "getattr") else 0)
try:
    hbatch.Instance("ssh://nowhere/x/sock-0")
except OSError as e:
    print(type(e).__name__)
