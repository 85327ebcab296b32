# The guides: plain texts, run by tests/system/guides.t.
dist_doc_DATA = doc/README doc/parallel doc/performance doc/python doc/spawn doc/troubleshooting doc/within
EXTRA_DIST += tests/system/guides.t
